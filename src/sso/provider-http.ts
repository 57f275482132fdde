/**
 * Requests to providers. Their addresses come from the administrator, so private ones are allowed; what they answer is
 * still limited in time and size, and no redirect is followed.
 */
import { Agent, request } from 'undici';

/** The provider can't be reached, or has a fault of its own. */
export class ProviderUnreachableError extends Error {
  override readonly name = 'ProviderUnreachableError';
}

/** What is asked of a provider. */
export interface ProviderRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 512 * 1024;
const CONNECTIONS_MAX = 8;

/** Connections to providers. */
export class ProviderHttp implements AsyncDisposable {
  readonly #agent = new Agent({
    connections: CONNECTIONS_MAX,
    connect: { timeout: TIMEOUT_MS },
    maxResponseSize: ANSWER_BYTES_MAX,
  });

  /** As `fetch`, for the libraries that want one. Throws `ProviderUnreachableError`. */
  readonly fetch = async (url: string, { method, headers, body, signal }: ProviderRequest): Promise<Response> => {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const answer = await request(url, {
        dispatcher: this.#agent,
        method,
        headers: { ...headers, 'accept-encoding': 'identity' },
        body: bodyOf(body),
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
      });
      const bytes = await answer.body.arrayBuffer();
      if (answer.statusCode >= 500) throw new Error(`the provider answered ${answer.statusCode}`);
      const init = { status: answer.statusCode, headers: headersOf(answer.headers) };
      return new Response(bytes.byteLength === 0 ? null : bytes, init);
    } catch (error) {
      throw new ProviderUnreachableError(error instanceof Error ? error.message : String(error));
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

function bodyOf(body: unknown): string | Uint8Array | null {
  if (body === undefined || body === null) return null;
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new Error('a body of a sort that nobody sends to providers');
}

function headersOf(headers: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const list = new Headers();
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values ?? []].flat()) list.append(name, value);
  }
  return list;
}
