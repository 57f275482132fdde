/** What the benchmarks of files share: requests whose bodies are not kept, rates, and readings from /proc. */

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { performance } from 'node:perf_hooks';

const MIB = 1024 * 1024;
export const DOWNLOAD = '/_matrix/client/v1/media/download/';

export interface Target {
  readonly baseUrl: string;
  readonly token: string;
  readonly agent: Agent;
}

/** Sends one request; resolves with the answer's head. */
export function send(target: Target, method: string, where: string, body?: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${target.token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/octet-stream', 'content-length': body.length }),
    };
    const request = httpRequest(target.baseUrl + where, { method, headers, agent: target.agent });
    request.on('response', resolve).on('error', reject);
    request.end(body);
  });
}

/** Reads an answer to its end without keeping it; gives its length in bytes. */
export async function drain(response: IncomingMessage): Promise<number> {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await once(response, 'end');
  return bytes;
}

/** The body of an answer of JSON. */
export async function json(response: IncomingMessage): Promise<{ readonly content_uri?: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

/** Runs `count` operations of `bytes` each, `parallel` at a time; gives MiB/s. */
export async function rate(
  count: number,
  parallel: number,
  bytes: number,
  work: (i: number) => Promise<void>,
): Promise<number> {
  let next = 0;
  const start = performance.now();
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return (count * bytes) / MIB / ((performance.now() - start) / 1000);
}

/** The middle of the values. */
export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** The resident memory of a process, in MiB. */
export async function rssMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

/** Uploads a file; gives its server and media id, as they stand in paths. */
export async function upload(target: Target, body: Buffer): Promise<string> {
  const response = await send(target, 'POST', '/_matrix/media/v3/upload', body);
  const { content_uri } = await json(response);
  if (content_uri === undefined) throw new Error(`the upload was answered with ${response.statusCode}`);
  return content_uri.slice('mxc://'.length);
}
