import { describe, expect, it } from 'vitest';
import { openEventStore } from '../../src/eventstore/open.ts';

describe('openEventStore', () => {
  it('opens memory:', async () => {
    expect((await openEventStore('memory:')).traits.url).toBe('memory:');
  });

  it('names what it does not know and what is allowed, without credentials', async () => {
    const opened = openEventStore('redis://user:secret@host');
    await expect(opened).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    await expect(opened).rejects.toThrow(/redis:.*allowed: memory:, sqlite:<file>/);
    await expect(opened).rejects.not.toThrow(/secret/);
  });
});
