import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { boundaryOf, openMultipart } from './multipart-file.ts';

const HEAD = '--b0\r\nContent-Type: application/json\r\n\r\n{}\r\n--b0\r\nContent-Type: image/png\r\n\r\n';
const answer = (content: Uint8Array | string, end = '\r\n--b0--\r\n', head = HEAD): Buffer =>
  Buffer.concat([Buffer.from(head), Buffer.from(content), Buffer.from(end)]);

function inChunks(bytes: Buffer, size: number): Readable {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return Readable.from(chunks);
}

async function read(bytes: Buffer, chunkSize = 100): Promise<Buffer> {
  return buffer((await openMultipart(inChunks(bytes, chunkSize), 'b0')).stream);
}

describe('boundaryOf', () => {
  it('reads the parameter, quoted or not', () => {
    assert.equal(boundaryOf('multipart/mixed; boundary=abc'), 'abc');
    assert.equal(boundaryOf('Multipart/Mixed; charset=utf-8; boundary="a b:c"'), 'a b:c');
  });

  it('is undefined for other types and for what no boundary can be', () => {
    for (const type of [undefined, 'image/png', 'multipart/form-data; boundary=x', 'multipart/mixed']) {
      assert.equal(boundaryOf(type), undefined);
    }
    assert.equal(boundaryOf(`multipart/mixed; boundary=${'x'.repeat(71)}`), undefined);
  });
});

describe('openMultipart', () => {
  it('gives the bytes of the second part, however the answer is cut', async () => {
    const bytes = Buffer.concat([randomBytes(3000), Buffer.from('\r\n--b\r\n-\r\n--\r\n'), randomBytes(3000)]);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8000 }), async (size) => {
        assert.ok((await read(answer(bytes), size)).equals(bytes));
      }),
      { numRuns: 60 },
    );
  });

  it('gives its headers', async () => {
    const head = '\r\n--b0 \r\n\r\n{}\r\n--b0\r\nLOCATION:  https://x.example/a \r\nContent-Type: image/png\r\n\r\n';
    const { headers, stream } = await openMultipart(inChunks(answer('', undefined, head), 7), 'b0');
    assert.deepEqual(Object.fromEntries(headers), { location: 'https://x.example/a', 'content-type': 'image/png' });
    assert.equal((await buffer(stream)).length, 0);
  });

  it('refuses what is cut off, anywhere', async () => {
    const whole = answer(randomBytes(200), '\r\n--b0--');
    for (let length = 0; length < whole.length; length++) {
      await assert.rejects(read(whole.subarray(0, length), 64), Error, `cut at ${length}`);
    }
  });

  it('refuses another boundary, garbage, and other numbers of parts', async () => {
    for (const bytes of [
      Buffer.from(answer('x').toString().replaceAll('b0', 'b1')),
      randomBytes(100_000),
      Buffer.from('--b0\r\n\r\n{}\r\n--b0--\r\n'),
      Buffer.from('--b0--\r\n'),
      answer('x', '\r\n--b0\r\n\r\nthird\r\n--b0--\r\n'),
      answer('x\r\n--b0y'),
      Buffer.from('--b0\r\nno header\r\n\r\n{}\r\n--b0\r\n\r\nx\r\n--b0--'),
    ]) {
      await assert.rejects(read(bytes));
    }
  });

  it('refuses endless preambles, headers and JSON after few bytes', async () => {
    for (const start of ['', '--b0\r\nA: ', '--b0', '--b0\r\n\r\n{"a":"', `${HEAD.slice(0, -4)}\r\nB: `]) {
      let sentBytes = 0;
      const endless = Readable.from(
        (function* () {
          yield Buffer.from(start);
          for (;;) {
            sentBytes += 10_000;
            yield Buffer.alloc(10_000, 'a');
          }
        })(),
      );
      await assert.rejects(openMultipart(endless, 'b0'));
      assert.ok(sentBytes < 200_000);
      assert.ok(endless.destroyed);
    }
  });

  it('lets the other side go where nobody reads on', async () => {
    const body = inChunks(answer(randomBytes(1_000_000)), 1000);
    const { stream } = await openMultipart(body, 'b0');
    stream.once('data', () => stream.destroy());
    await new Promise((resolve) => body.once('close', resolve));
  });
});
