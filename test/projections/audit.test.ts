import { describe, expect, it } from 'vitest';
import type { RecordedAuditEvent } from '../../src/model/events.ts';
import type { RefusalCode } from '../../src/model/refusals.ts';
import { AuditProjection } from '../../src/projections/audit.ts';

const recorded = (revision: number, type: string, data: object): RecordedAuditEvent =>
  ({
    id: String(revision),
    type,
    schemaVersion: 1,
    at: revision,
    data,
    metadata: {},
    stream: 'pool-p-audit',
    revision,
  }) as never;

const refused = (revision: number, requestId: string, code: RefusalCode = 'EXHAUSTED'): RecordedAuditEvent =>
  recorded(revision, 'RequestRefused', {
    request: { id: requestId, owner: 'ann' },
    refusal: { code, message: '', decisionId: `decision-${revision}`, revision: 0 },
    breaker: 'closed',
    writerId: 'w1',
  });

const summarized = (revision: number, counts: Record<string, number>): RecordedAuditEvent =>
  recorded(revision, 'RefusalsSummarized', { from: 0, to: 1, counts, writerId: 'w1' });

function auditOf(events: readonly RecordedAuditEvent[]): AuditProjection {
  const audit = new AuditProjection();
  for (const event of events) audit.apply(event);
  return audit;
}

describe('the audit stream, folded', () => {
  it('counts refusals by code, the summarized ones too', () => {
    const audit = auditOf([
      refused(0, 'a'),
      refused(1, 'b', 'NEVER_FITS'),
      summarized(2, { EXHAUSTED: 40, BREAKER_OPEN: 2 }),
    ]);
    expect(audit.refusedByCode()).toEqual({ EXHAUSTED: 41, NEVER_FITS: 1, BREAKER_OPEN: 2 });
    expect(audit.refusedTotal).toBe(44);
    expect(audit.revision).toBe(2);
  });

  it('goes on from what was saved, as JSON, as if it had never stopped', () => {
    const events = Array.from({ length: 3_000 }, (_, revision) => refused(revision, `r${revision % 7}`));
    const resumed = new AuditProjection();
    resumed.load(JSON.parse(JSON.stringify(auditOf(events.slice(0, 1_700)).save())));
    for (const event of events.slice(1_700)) resumed.apply(event);
    expect(resumed.save()).toEqual(auditOf(events).save());
    resumed.reset();
    expect(resumed.save()).toEqual(new AuditProjection().save());
  });
});
