import type { Clock } from '../model/clock.ts';
import { type FieldError, invalid } from '../model/errors.ts';
import type { ResourceAvailability, ResourceDetector, SystemResources } from '../model/interfaces.ts';
import { type Amounts, parseRequirements, type Requirements } from '../model/values/amounts.ts';
import { systemClock } from '../time/system-clock.ts';
import { declare } from './declared.ts';
import { readHostId } from './host.ts';
import { type Alert, LastGood, type Settled } from './last-good.ts';
import { type Machine, type MachineLook, openMachine } from './machine.ts';

export interface DetectorOptions {
  /** Declares the capacity instead of detecting it; usage and pressure are still read. */
  readonly capacity?: Requirements | null;
  /** A sample younger than this answers again (default 100). */
  readonly sampleIntervalMs?: number;
  /** How often limits and links are looked up again (default 5000). */
  readonly limitsIntervalMs?: number;
  /** The folder whose file system is the disk (default: the working folder). */
  readonly dataDir?: string;
  /** A dimension with less than this share available is constrained (default 0.1). */
  readonly constrainedRatio?: number;
  /** Told when a dimension cannot be read any more, and when it can again. */
  readonly onAlert?: Alert;
  readonly clock?: Pick<Clock, 'now' | 'monotonic'>;
  /** Where proc, sys and etc lie (default '/'). */
  readonly root?: string;
}

/** A ResourceDetector that can say when the slow facts (gpus) are in. */
export interface MachineDetector extends ResourceDetector {
  /** Settles once gpus are counted; never rejects. Getters answer before that, without gpus. */
  refined(): Promise<void>;
}

/** Detects this machine, or answers for a declared one. Throws INVALID_CONFIG naming every wrong option. */
export function createResourceDetector(options: DetectorOptions = {}): MachineDetector {
  const settings = checkOptions(options);
  const machine = openMachine(settings);
  return new Detector(machine, settings, readHostId(settings.root));
}

type Settings = ReturnType<typeof checkOptions>;

function checkOptions(options: DetectorOptions) {
  const errors: FieldError[] = [];
  const settings = {
    capacity: options.capacity == null ? null : checkCapacity(options.capacity, errors),
    sampleIntervalMs: checkRange('sampleIntervalMs', options.sampleIntervalMs ?? 100, 3_600_000, errors),
    limitsIntervalMs: checkRange('limitsIntervalMs', options.limitsIntervalMs ?? 5_000, 3_600_000, errors),
    constrainedRatio: checkRange('constrainedRatio', options.constrainedRatio ?? 0.1, 1, errors),
    dataDir: options.dataDir ?? '.',
    onAlert: options.onAlert ?? (() => undefined),
    clock: options.clock ?? systemClock,
    root: options.root ?? '/',
  };
  if (errors.length > 0) throw invalid(errors, 'INVALID_CONFIG');
  return settings;
}

function checkCapacity(capacity: Requirements, errors: FieldError[]): Amounts {
  const amounts = parseRequirements(capacity, 'capacity', errors);
  if (errors.length === 0 && !Object.values(amounts).some((amount) => amount > 0)) {
    errors.push({ path: 'capacity', value: capacity, allowed: 'at least one amount above zero' });
  }
  return amounts;
}

function checkRange(path: string, value: number, max: number, errors: FieldError[]): number {
  if (!(value >= 0 && value <= max)) errors.push({ path, value, allowed: `a number from 0 to ${max}` });
  return value;
}

interface Sample {
  readonly atMs: number;
  readonly resources: SystemResources;
  readonly stale: boolean;
}

class Detector implements MachineDetector {
  readonly #machine: Machine;
  readonly #settings: Settings;
  readonly #hostId: string;
  readonly #lastGood: LastGood;
  readonly #refined: Promise<void>;
  #sample: Sample | undefined;

  constructor(machine: Machine, settings: Settings, hostId: string) {
    this.#machine = machine;
    this.#settings = settings;
    this.#hostId = hostId;
    this.#lastGood = new LastGood(settings.onAlert);
    this.#machine.look(settings.clock.monotonic()); // the base of the first rates
    this.#refined = this.#refine();
  }

  getCurrentResources(): SystemResources {
    return this.#current().resources;
  }

  getAvailability(): ResourceAvailability {
    const { resources, stale } = this.#current();
    const entries = Object.entries(resources.resources);
    const { constrainedRatio } = this.#settings;
    return {
      at: resources.at,
      stale,
      available: Object.fromEntries(entries.map(([dimension, use]) => [dimension, use.available])),
      constrained: entries.filter(([, use]) => use.available < use.total * constrainedRatio).map(([name]) => name),
    };
  }

  refined(): Promise<void> {
    return this.#refined;
  }

  #current(): Sample {
    const atMs = this.#settings.clock.monotonic();
    const sample = this.#sample;
    if (sample !== undefined && atMs - sample.atMs < this.#settings.sampleIntervalMs) return sample;
    this.#sample = this.#take(atMs);
    return this.#sample;
  }

  #take(atMs: number): Sample {
    const { capacity, clock } = this.#settings;
    const at = clock.now();
    const look = this.#machine.look(atMs);
    const settled = this.#lastGood.settle(look.readings, at);
    const resources = capacity === null ? settled.resources : declare(capacity, settled.resources);
    const unreadable = capacity === null ? settled.unreadable : {};
    const stale = isStale(settled, resources);
    return { atMs, stale, resources: { ...this.#describe(at, look, resources), unreadable } };
  }

  #describe(at: number, look: MachineLook, resources: SystemResources['resources']): SystemResources {
    const source = this.#settings.capacity === null ? 'detected' : 'declared';
    const { containerLimited, pressure } = look;
    return { at, hostId: this.#hostId, source, containerLimited, resources, pressure };
  }

  async #refine(): Promise<void> {
    try {
      await this.#machine.refine();
      this.#sample = undefined;
    } catch (error) {
      const message = `gpus and links could not be asked for: ${error instanceof Error ? error.message : String(error)}`;
      this.#settings.onAlert({
        code: 'DETECTOR_UNREFINED',
        severity: 'warning',
        message,
        at: this.#settings.clock.now(),
      });
    }
  }
}

/** Stale as soon as one dimension that is answered for is. */
const isStale = (settled: Settled, resources: SystemResources['resources']): boolean =>
  Object.keys(settled.unreadable).some((dimension) => Object.hasOwn(resources, dimension));
