import { isAuditStream } from '../../model/ids.ts';
import type { Logger } from '../../model/interfaces.ts';
import { RepeatedFailure } from '../../model/repeated-failure.ts';
import type { AuditRetention } from '../options.ts';
import type { MetadataStreams } from './metadata.ts';

export const AUDIT_RETENTION: AuditRetention = { maxAgeMs: 30 * 24 * 3_600_000, maxCount: 1_000_000 };

/** Tells the server, once for each audit stream, how much of it to keep; what an operator has set stays as it is. */
export class Retention {
  readonly #metadata: MetadataStreams;
  readonly #audit: AuditRetention;
  readonly #failure: RepeatedFailure;
  readonly #told = new Set<string>();

  constructor(metadata: MetadataStreams, audit: AuditRetention, logger: Logger) {
    this.#metadata = metadata;
    this.#audit = audit;
    const what = 'how much of the refusals is kept could not be set';
    this.#failure = new RepeatedFailure({ logger, nowMs: () => performance.now(), what });
  }

  /** Not awaited: no refusal waits for it. Tried again with the next append if it failed. */
  appendedTo(stream: string): void {
    if (!isAuditStream(stream) || this.#told.has(stream)) return;
    this.#told.add(stream);
    this.#tell(stream).then(
      () => this.#failure.ended(),
      (error: unknown) => {
        this.#told.delete(stream);
        this.#failure.failed(error, { stream });
      },
    );
  }

  async #tell(stream: string): Promise<void> {
    const metadata = (await this.#metadata.read(stream)) ?? {};
    if ('$maxAge' in metadata || '$maxCount' in metadata) return;
    const { maxAgeMs, maxCount } = this.#audit;
    await this.#metadata.merge(stream, { $maxAge: Math.ceil(maxAgeMs / 1_000), $maxCount: maxCount });
  }
}
