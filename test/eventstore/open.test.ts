import { describe, expect, it } from 'vitest';
import { openEventStore } from '../../src/eventstore/open.ts';

describe('openEventStore', () => {
  it('opens memory:', async () => {
    expect((await openEventStore('memory:')).traits.url).toBe('memory:');
  });

  it('opens memory: with bounds of its own', async () => {
    const { traits } = await openEventStore('memory:?events=1000&bytes=1048576');
    expect(traits.url).toBe('memory:?events=1000&bytes=1048576');
  });

  it.each([
    ['memory:?events=0', /store\.events: "0" .*whole number of events from 1000/],
    ['memory:?events=999', /whole number of events from 1000 to/],
    ['memory:?events=1e5', /whole number/],
    ['memory:?events=-5', /whole number/],
    ['memory:?events=', /whole number/],
    ['memory:?events=5000.5', /whole number/],
    ['memory:?bytes=1', /store\.bytes: "1" .*whole number of bytes from 1048576/],
    ['memory:?event=5000', /store\.event: .*did you mean events\? known: events, bytes/],
    ['memory:?max=5000', /store\.max: .*known: events, bytes/],
    ['memory:?events=5000&events=6000', /once/],
    ['memory:?events=x&byte=y', /store\.events[\s\S]*store\.byte: .*did you mean bytes/],
    ['memory:events=5', /allowed: memory:/],
    ['memory:x', /allowed: memory:/],
  ])('names what is wrong with %s', async (url, message) => {
    const opened = openEventStore(url);
    await expect(opened).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    await expect(opened).rejects.toThrow(message);
  });

  it('names what it does not know and what is allowed, without credentials', async () => {
    const opened = openEventStore('redis://user:secret@host');
    await expect(opened).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    await expect(opened).rejects.toThrow(/redis:.*allowed: memory:, .*sqlite:<file>/);
    await expect(opened).rejects.not.toThrow(/secret/);
  });
});
