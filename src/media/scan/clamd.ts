/** Asks a ClamAV daemon about a file, over its socket. Protocol: clamd(8), INSTREAM. */
import { createReadStream } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** A socket of this machine, or a host and its port. */
export type ClamdAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** No verdict: the daemon can't be reached, takes too long, or says that something is wrong. */
export class ScannerError extends Error {
  override readonly name = 'ScannerError';
}

const CHUNK_BYTES = 64 * 1024;
const ANSWER_CHARACTERS_MAX = 4096;

/** `/run/clamav/clamd.ctl` or `host:3310`. Undefined for what is neither. */
export function parseClamdAddress(text: string): ClamdAddress | undefined {
  if (text.startsWith('/')) return { path: text };
  const [, host, port] = /^(?:\[(?=.*:)|)([^\s[\]]+?)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) return undefined;
  return { host, port: Number(port) };
}

/** The name of what was found in a file; undefined where nothing was. Throws `ScannerError`. */
export async function scanFile(address: ClamdAddress, file: string, timeoutMs: number): Promise<string | undefined> {
  const socket = connect(address);
  const timer = setTimeout(() => socket.destroy(new Error('it takes too long')), timeoutMs);
  try {
    const answer = answerOf(socket);
    // The daemon may have answered before it has all: what counts is its answer.
    pipeline(createReadStream(file, { highWaterMark: CHUNK_BYTES }), framed, socket, { end: false }).catch(
      (error: unknown) => socket.destroy(error instanceof Error ? error : undefined),
    );
    return verdictOf(await answer);
  } catch (cause) {
    if (cause instanceof ScannerError) throw cause;
    throw new ScannerError(`ClamAV: ${cause instanceof Error ? cause.message : cause}`, { cause });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

async function* framed(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield Buffer.from('zINSTREAM\0');
  for await (const chunk of chunks) {
    yield lengthOf(chunk.length);
    yield chunk;
  }
  yield lengthOf(0);
}

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

function answerOf(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      if (text.includes('\0')) resolve(text.slice(0, text.indexOf('\0')));
      else if (text.length > ANSWER_CHARACTERS_MAX) reject(new ScannerError('ClamAV: the answer is too long'));
    });
    socket.once('error', reject).once('close', () => reject(new Error('it closed the connection')));
  });
}

function verdictOf(answer: string): string | undefined {
  if (answer === 'stream: OK') return undefined;
  const [, found] = /^stream: (.+) FOUND$/.exec(answer) ?? [];
  if (found === undefined) throw new ScannerError(`ClamAV: ${answer}`);
  return found;
}
