import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { type FederationCalls, RefusedError } from '../federation/index.ts';
import { upTo } from '../lru.ts';
import { addSignature } from '../protocol/crypto/index.ts';
import { MatrixError } from '../protocol/errors.ts';
import {
  canonicalJsonFor,
  Event,
  POLICY_KEY_ID,
  type PolicyServer,
  verifyEventSignature,
} from '../protocol/event/index.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readInteger, readObject, readString } from '../protocol/json/index.ts';

/** What a policy server says of an event: the event with its signature, or why it has none. */
type Answer = { readonly signed: Event } | { readonly refusal: MatrixError };

interface Failing {
  readonly failures: number;
  readonly retryAtTs: number;
}

const TIMEOUT_MS = 5_000;
const RETRY_MS_MIN = 1_000;
/** A room is of no use while its policy server is away, so that it is asked again soon. */
const RETRY_MS_MAX = 60_000;
const FAILING_MAX = 1_000;
const ANSWERS_MAX = 2_000;
const ERROR_CHARS_MAX = 1_000;

/** What a policy server may answer; a client could take other codes for something about itself, such as a log-out. */
const PASSED_ON = ['M_FORBIDDEN', 'M_BAD_JSON', 'M_NOT_JSON', 'M_NOT_FOUND', 'M_LIMIT_EXCEEDED'] as const;

/** Asks policy servers about events. Spec: server-server-api/#policy-servers */
export class PolicyServers {
  readonly #calls: Pick<FederationCalls, 'askPolicyServer'>;
  readonly #clock: Clock;
  readonly #failing = new LRUCache<ServerName, Failing>(upTo(FAILING_MAX));
  /** By server, key and event: events of a transaction are asked about together, before the room takes them one by one. */
  readonly #answers = new LRUCache<string, Promise<Answer>>(upTo(ANSWERS_MAX));

  constructor(calls: Pick<FederationCalls, 'askPolicyServer'>, clock: Clock) {
    this.#calls = calls;
    this.#clock = clock;
  }

  /** An event of ours with the policy server's signature. @throws MatrixError what the client is told: the server's own error, or 502 */
  async sign(policy: PolicyServer, event: Event): Promise<Event> {
    const answer = await this.#answer(policy, event);
    if ('refusal' in answer) throw answer.refusal;
    return answer.signed;
  }

  /** An event that came, with a valid signature of the policy server; undefined where that doesn't recommend it. */
  async review(policy: PolicyServer, event: Event): Promise<Event | undefined> {
    if (await this.isSigned(policy, event)) return event;
    const answer = await this.#answer(policy, event);
    return 'signed' in answer ? answer.signed : undefined;
  }

  /** Whether an event bears a valid signature of the policy server. */
  async isSigned({ via, publicKey }: PolicyServer, event: Event): Promise<boolean> {
    try {
      return await verifyEventSignature(event, via, POLICY_KEY_ID, publicKey);
    } catch {
      // The key in the room's state may be anything.
      return false;
    }
  }

  #answer(policy: PolicyServer, event: Event): Promise<Answer> {
    const key = `${policy.via}\0${policy.publicKey}\0${event.eventId}`;
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const asked = this.#ask(policy, event).catch((error: unknown) => {
      const refusal = refusalFor(error, policy.via);
      // That it couldn't be asked isn't its answer.
      if (!(refusal instanceof PolicyRefusal) || refusal.status === 429) this.#answers.delete(key);
      return { refusal };
    });
    this.#answers.set(key, asked);
    return asked;
  }

  async #ask(policy: PolicyServer, event: Event): Promise<Answer> {
    const { via } = policy;
    const retryMs = (this.#failing.get(via)?.retryAtTs ?? 0) - this.#clock.now();
    if (retryMs > 0) throw new Error('the policy server did not answer a moment ago');
    let answer: JsonObject;
    try {
      answer = await this.#calls.askPolicyServer(via, event.exactPdu, TIMEOUT_MS);
    } catch (error) {
      if (error instanceof RefusedError && error.status < 500) this.#failing.delete(via);
      else this.#noteFailure(via);
      throw error;
    }
    this.#failing.delete(via);
    const signature = readString(readObject(answer, via) ?? {}, POLICY_KEY_ID);
    const pdu = signature === undefined ? undefined : addSignature(event.pdu, via, POLICY_KEY_ID, signature);
    const signed = pdu && Event.fromJson(event.eventId, canonicalJsonFor(pdu, event.rules), event.rules);
    if (signed !== undefined && (await this.isSigned(policy, signed))) return { signed };
    const message = `The signature of the policy server ${via} is not valid`;
    return { refusal: new MatrixError('M_FORBIDDEN', message) };
  }

  #noteFailure(via: ServerName): void {
    const failures = (this.#failing.get(via)?.failures ?? 0) + 1;
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (failures - 1));
    this.#failing.set(via, { failures, retryAtTs: this.#clock.now() + waitMs });
  }
}

/** A refusal of a policy server as it came. */
class PolicyRefusal extends MatrixError {
  readonly #body: JsonObject;

  constructor(errcode: (typeof PASSED_ON)[number], status: number, body: JsonObject) {
    super(errcode, readString(body, 'error') ?? 'The policy server refused the event', { status });
    this.#body = body;
  }

  override toBody(): Readonly<Record<string, unknown>> {
    const retryMs = readInteger(this.#body, 'retry_after_ms');
    return {
      errcode: this.errcode,
      error: this.message.slice(0, ERROR_CHARS_MAX),
      ...(retryMs === undefined ? {} : { retry_after_ms: retryMs }),
    };
  }
}

function refusalFor(error: unknown, via: ServerName): MatrixError {
  if (error instanceof MatrixError) return error;
  if (error instanceof RefusedError && error.status >= 400 && error.status < 500 && error.status !== 401) {
    const errcode = PASSED_ON.find((code) => code === error.errcode);
    const { body } = error;
    if (errcode !== undefined && isJsonObject(body)) return new PolicyRefusal(errcode, error.status, body);
  }
  return new MatrixError('M_UNKNOWN', `The policy server of this room, ${via}, can't be asked`, { status: 502 });
}
