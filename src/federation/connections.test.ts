import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Connections } from './connections.ts';

describe('where other servers point to', () => {
  const limits = { timeoutMs: 2_000, signal: AbortSignal.timeout(2_000) };

  it('is never a private or loopback address, however it is written', async () => {
    await using connections = new Connections({ ca: undefined, allowPrivateAddresses: false, userAgent: 'test' });
    for (const host of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '10.0.0.1', '0x7f.1', '2130706433', 'localhost']) {
      await assert.rejects(connections.streamPlain(new URL(`https://${host}/x`), limits), /public address/, host);
    }
  });

  it('is never anything but https', async () => {
    await using connections = new Connections({ ca: undefined, allowPrivateAddresses: true, userAgent: 'test' });
    for (const url of ['http://example.org/x', 'file:///etc/passwd', 'ftp://example.org/x']) {
      await assert.rejects(async () => connections.streamPlain(new URL(url), limits), /not https/);
    }
  });
});
