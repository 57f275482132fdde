/** A small HTTP client for tests: keep-alive, nothing checked, nothing followed, no hidden headers. */
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface ClientRequest {
  readonly token?: string | undefined;
  /** Sent as JSON; a string or bytes are sent as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** JSON of the answer, for tests to look into: what they assert on is checked by the assertion. */
// biome-ignore lint/suspicious/noExplicitAny: tests reach into answers by path and assert what they find
export type AnswerBody = any;

export interface ClientResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The parsed JSON; undefined where the answer isn't JSON. */
  readonly body: AnswerBody;
  readonly bytes: Buffer;
}

/** Sends requests to one server. */
export class HttpClient implements Disposable {
  readonly baseUrl: string;
  readonly #agent: HttpAgent;
  readonly #options: RequestOptions;

  /** `baseUrl`: `http://host:port`, `https://host:port` (any certificate will do), or `unix:/path`. */
  constructor(baseUrl: string) {
    this.baseUrl = baseUrl;
    const isTls = baseUrl.startsWith('https:');
    this.#agent = isTls
      ? new HttpsAgent({ keepAlive: true, rejectUnauthorized: false })
      : new HttpAgent({ keepAlive: true });
    if (baseUrl.startsWith('unix:')) {
      this.#options = { socketPath: baseUrl.slice('unix:'.length) };
    } else {
      const { hostname, port } = new URL(baseUrl);
      this.#options = { hostname: hostname.replace(/^\[|\]$/g, ''), port };
    }
  }

  /** Sends a request and reads the whole answer. Rejects only where the connection fails. */
  request(method: string, path: string, options: ClientRequest = {}): Promise<ClientResponse> {
    const payload = payloadOf(options.body);
    const headers: Record<string, string> = { ...options.headers };
    if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`;
    if (payload !== undefined) headers['content-length'] ??= String(payload.length);
    const send = this.baseUrl.startsWith('https:') ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const { signal } = options;
      const request = send({
        ...this.#options,
        ...(signal ? { signal } : {}),
        agent: this.#agent,
        method,
        path,
        headers,
      });
      request.on('error', reject);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: jsonOf(bytes), bytes });
        });
      });
      request.end(payload);
    });
  }

  /** Closes idle connections; the next request opens a new one. */
  disconnect(): void {
    this.#agent.destroy();
  }

  [Symbol.dispose](): void {
    this.disconnect();
  }
}

function payloadOf(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined;
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body);
  return Buffer.from(JSON.stringify(body));
}

function jsonOf(bytes: Buffer): AnswerBody {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
