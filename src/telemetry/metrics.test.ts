import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Metrics } from './metrics.ts';

describe('metrics', () => {
  it('read the figures of the parts at each scrape', async () => {
    const metrics = new Metrics();
    let sent = 3;
    metrics.add(
      { name: 'inglenook_sent_total', help: 'Sent.', type: 'counter', read: () => sent },
      { name: 'inglenook_hot_rooms', help: 'Rooms.', type: 'gauge', read: () => sent * 2 },
    );
    assert.match(await metrics.render(), /# TYPE inglenook_sent_total counter\ninglenook_sent_total 3\n/);
    sent = 4;
    assert.match(await metrics.render(), /inglenook_sent_total 4\n.*inglenook_hot_rooms 8\n/s);
  });

  it('put each request into the bucket of its duration, buckets being cumulative', () => {
    const { requests } = new Metrics();
    for (const durationMs of [0.5, 7, 7, 60_000]) {
      requests.begin();
      requests.end('sync', 200, durationMs);
    }
    const text = requests.render();
    assert.match(text, /_bucket\{operation="sync",le="0.001"\} 1\n/);
    assert.match(text, /_bucket\{operation="sync",le="0.01"\} 3\n/);
    assert.match(text, /_bucket\{operation="sync",le="30"\} 3\n/);
    assert.match(text, /_bucket\{operation="sync",le="\+Inf"\} 4\n/);
    assert.equal(requests.inFlight, 0);
  });
});
