import { describe, expect, it } from 'vitest';
import type { RecordedAuditEvent } from '../../src/model/events.ts';
import type { RefusalCode } from '../../src/model/refusals.ts';
import { AuditProjection, RECENT_REFUSALS } from '../../src/projections/audit.ts';

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

  it('finds a refusal by its decision, and the last one of a request by its name', () => {
    const audit = auditOf([refused(0, 'a'), refused(1, 'b'), refused(2, 'a')]);
    expect(audit.revisionOf('decision-0')).toBe(0);
    expect(audit.revisionOf('a')).toBe(2);
    expect(audit.revisionOf('b')).toBe(1);
    expect(audit.revisionOf('c')).toBeUndefined();
  });

  it('keeps the last refusals whole and no more, and knows where many more are', () => {
    const events = Array.from({ length: 5_000 }, (_, revision) => refused(revision, `r${revision}`));
    const audit = auditOf(events);
    expect(audit.recent()).toEqual(events.slice(-RECENT_REFUSALS));
    expect(audit.recent(2)).toEqual(events.slice(-2));
    expect(audit.recent(0)).toEqual([]);
    expect(audit.revisionOf('decision-0')).toBe(0);
  });

  it('forgets the places of old decisions, but never of the last 50 000', () => {
    const audit = auditOf(Array.from({ length: 120_000 }, (_, revision) => refused(revision, 'same')));
    expect(audit.revisionOf('decision-0')).toBeUndefined();
    expect(audit.revisionOf('decision-70000')).toBe(70_000);
    expect(audit.revisionOf('same')).toBe(119_999);
    expect(audit.save().decisions.flat().length).toBeLessThanOrEqual(100_001);
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
