import type { ClientResponse, HttpClient } from './http-client.ts';

/** A logged-in user of a test server. */
export class TestUser {
  readonly userId: string;
  readonly accessToken: string;
  readonly deviceId: string;
  readonly #client: HttpClient;

  private constructor(client: HttpClient, login: { user_id: string; access_token: string; device_id: string }) {
    this.#client = client;
    this.userId = login.user_id;
    this.accessToken = login.access_token;
    this.deviceId = login.device_id;
  }

  /** The user of an answer to registration or log-in; throws where that was refused. */
  static from(client: HttpClient, { status, body, bytes }: ClientResponse): TestUser {
    if (status !== 200) throw new Error(`not logged in: ${status} ${bytes.toString('utf8')}`);
    return new TestUser(client, body);
  }

  /** A request with this user's token. */
  request(method: string, path: string, body?: unknown): Promise<ClientResponse> {
    return this.#client.request(method, path, { token: this.accessToken, body });
  }
}
