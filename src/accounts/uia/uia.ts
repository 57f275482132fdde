/**
 * User-interactive authentication, for whichever endpoint needs it.
 * Spec: client-server-api/#user-interactive-authentication-api
 */
import type { Clock } from '../../clock.ts';
import { type Errcode, forbidden, invalidParam, MatrixError } from '../../protocol/errors.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import type { Database, WriteTx } from '../../storage/index.ts';
import { hashSecret } from '../secrets.ts';
import { findUiaCompleted, setUiaCompleted, UIA_USED, useUiaSession } from '../store/uia.ts';
import { type UiaPurpose, UiaSessionIds } from './session-id.ts';
import { type AuthData, type StageContext, StageFailure, type StageName, type Stages } from './stages.ts';

/** Stages to go through, in this order. */
export type Flow = readonly StageName[];

/** A request that must be authenticated. */
export interface UiaRequest extends UiaPurpose, StageContext {
  readonly flows: readonly Flow[];
  /** What the client sent under `auth`. */
  readonly auth: AuthData | undefined;
}

/** A request that was authenticated. */
export interface UiaOutcome {
  /** What each stage found out. */
  readonly results: ReadonlyMap<string, string>;
  /** Uses the session up, in the transaction of what it was for. Throws where another request was faster. */
  close(tx: WriteTx): Promise<void>;
}

/** Stages with their results, in the order in which they were completed. */
type Completed = readonly (readonly [stage: string, result: string])[];

interface Attempt {
  readonly request: UiaRequest;
  readonly sessionId: string;
  readonly expiresTs: number;
  readonly completed: Completed;
}

/** How long a client may take for all stages. */
const SESSION_LIFETIME_MS = 60 * 60 * 1000;

/** Stages whose result is the user who went through them. */
const OF_USER: ReadonlySet<string> = new Set<StageName>(['m.login.password', 'm.login.sso', 'm.oauth']);

/** The 401 that asks for (more) authentication. It has an errcode only where an attempt failed. */
class UiaChallenge extends MatrixError {
  readonly #hasFailed: boolean;

  constructor(failure: { errcode: Errcode; message: string } | undefined, fields: JsonObject) {
    super(failure?.errcode ?? 'M_FORBIDDEN', failure?.message ?? 'Authentication is needed', { status: 401, fields });
    this.#hasFailed = failure !== undefined;
  }

  override toBody(): Readonly<Record<string, unknown>> {
    return this.#hasFailed ? super.toBody() : this.fields;
  }
}

export class Uia {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #stages: Stages;
  readonly #ids: UiaSessionIds;

  constructor(database: Database, clock: Clock, stages: Stages, secret: string) {
    this.#database = database;
    this.#clock = clock;
    this.#stages = stages;
    this.#ids = new UiaSessionIds(secret);
  }

  /**
   * Returns once a flow is complete. Until then it throws the 401 that tells the client how to go on: without `auth`
   * always, after a failed attempt with an errcode, and after each stage that was not the last.
   */
  async require(request: UiaRequest): Promise<UiaOutcome> {
    const { auth } = request;
    if (auth === undefined) throw this.#challenge(this.#start(request));
    if (auth.session === undefined) return this.#go(this.#start(request), auth);
    const expiresTs = this.#ids.check(auth.session, request, this.#clock.now());
    if (expiresTs === undefined) {
      const message = 'The session is unknown, has expired, or was started for another request';
      throw this.#challenge(this.#start(request), { errcode: 'M_FORBIDDEN', message });
    }
    const attempt = await this.#resume(request, auth.session, expiresTs);
    if (attempt === undefined) {
      const message = 'The session has been used already';
      throw this.#challenge(this.#start(request), { errcode: 'M_FORBIDDEN', message });
    }
    return this.#go(attempt, auth);
  }

  /** As `require`, and the session is used up: for what has no transaction of its own to use it up in. */
  async requireOnce(request: UiaRequest): Promise<void> {
    const outcome = await this.require(request);
    await this.#database.write('main', (tx) => outcome.close(tx));
  }

  /**
   * Attempts a stage outside of the request that it is for, as the fallback page does; the client goes on with the session alone.
   * Spec: client-server-api/#fallback
   * @throws MatrixError 400 where the session is unknown or has expired, 401 where the attempt failed
   */
  async attemptOutside(
    sessionId: string,
    name: StageName,
    auth: AuthData,
    context: Omit<StageContext, 'operation'>,
  ): Promise<void> {
    if (this.expiryOf(sessionId) === undefined) throw invalidParam('The session is unknown or has expired');
    let result: string;
    try {
      result = await this.#stages[name].attempt(auth, { ...context, operation: 'fallback' });
    } catch (error) {
      if (error instanceof StageFailure) throw new MatrixError(error.errcode, error.message, { status: 401 });
      throw error;
    }
    await this.#database.write('main', (tx) => this.completeIn(tx, sessionId, name, result));
  }

  /** Notes a stage as completed that somebody went through elsewhere, unless it is already. Throws 400 as `attemptOutside`. */
  async completeIn(tx: WriteTx, sessionId: string, name: StageName, result: string): Promise<void> {
    const expiresTs = this.expiryOf(sessionId);
    if (expiresTs === undefined) throw invalidParam('The session is unknown or has expired');
    const hash = hashSecret(sessionId);
    const completed = parseCompleted(await findUiaCompleted(tx, hash, this.#clock.now()));
    const isSame = ([stage, known]: Completed[number]) => stage === name && (known === result || !OF_USER.has(name));
    if (completed.some(isSame)) return;
    const others = completed.filter(([stage]) => stage !== name);
    await setUiaCompleted(tx, hash, JSON.stringify([...others, [name, result]]), expiresTs);
  }

  /** Until when a session is valid, or undefined. */
  expiryOf(sessionId: string): number | undefined {
    return this.#ids.expiryOf(sessionId, this.#clock.now());
  }

  /** What clients must know for a stage of a session. */
  paramsOf(name: StageName, sessionId: string): JsonObject {
    return this.#stages[name].params?.(sessionId) ?? {};
  }

  async #go(attempt: Attempt, auth: AuthData): Promise<UiaOutcome> {
    const { type } = auth;
    const isDone = attempt.completed.some(([stage]) => stage === type);
    if (type === undefined || isDone) return this.#finishOrGoOn(attempt);
    const stage = nextStages(attempt).find((name) => name === type);
    if (stage === undefined) {
      throw this.#challenge(attempt, { errcode: 'M_FORBIDDEN', message: 'No flow has this stage next' });
    }
    return this.#finishOrGoOn(await this.#attempt(attempt, stage, auth));
  }

  async #attempt(attempt: Attempt, name: StageName, auth: AuthData): Promise<Attempt> {
    const stage = this.#stages[name];
    let result: string;
    try {
      result = await stage.attempt(auth, attempt.request);
    } catch (error) {
      if (error instanceof StageFailure) throw this.#challenge(attempt, error);
      throw error;
    }
    const next: Attempt = { ...attempt, completed: [...attempt.completed, [name, result]] };
    if (isComplete(next) && stage.isRepeatable) return next;
    const { sessionId, expiresTs, completed } = next;
    await this.#database.write('main', (tx) =>
      setUiaCompleted(tx, hashSecret(sessionId), JSON.stringify(completed), expiresTs),
    );
    return next;
  }

  #finishOrGoOn(attempt: Attempt): UiaOutcome {
    if (!isComplete(attempt)) throw this.#challenge(attempt);
    const { completed, sessionId, expiresTs } = attempt;
    return {
      results: new Map(completed),
      close: async (tx) => {
        if (!(await useUiaSession(tx, hashSecret(sessionId), expiresTs))) {
          throw forbidden('This authentication has been used already');
        }
      },
    };
  }

  #start(request: UiaRequest): Attempt {
    const expiresTs = this.#clock.now() + SESSION_LIFETIME_MS;
    return { request, sessionId: this.#ids.make(request, expiresTs), expiresTs, completed: [] };
  }

  async #resume(request: UiaRequest, sessionId: string, expiresTs: number): Promise<Attempt | undefined> {
    const json = await this.#database.read((tx) => findUiaCompleted(tx, hashSecret(sessionId), this.#clock.now()));
    if (json === UIA_USED) return undefined;
    // On the fallback page anybody may have shown who they are: it must be the one who is logged in.
    const completed = parseCompleted(json).filter(
      ([stage, result]) => !OF_USER.has(stage) || result === request.userId,
    );
    return { request, sessionId, expiresTs, completed };
  }

  #challenge(attempt: Attempt, failure?: { errcode: Errcode; message: string }): UiaChallenge {
    const { request, completed, sessionId } = attempt;
    const params: Record<string, JsonObject> = {};
    for (const name of new Set(request.flows.flat())) {
      const stage = this.#stages[name].params?.(sessionId);
      if (stage !== undefined) params[name] = stage;
    }
    const flows = request.flows.map((stages) => ({ stages }));
    const done = completed.length === 0 ? {} : { completed: completed.map(([stage]) => stage) };
    return new UiaChallenge(failure, { flows, params, session: sessionId, ...done });
  }
}

function parseCompleted(json: string | undefined): Completed {
  return json === undefined ? [] : JSON.parse(json);
}

/** Whether what is completed is the whole of a flow, in its order. */
function isComplete({ request, completed }: Attempt): boolean {
  return request.flows.some((flow) => flow.length === completed.length && startsWith(flow, completed));
}

/** The stages with which a flow that was begun goes on. */
function nextStages({ request, completed }: Attempt): readonly StageName[] {
  return request.flows
    .filter((flow) => startsWith(flow, completed))
    .map((flow) => flow[completed.length])
    .filter((stage) => stage !== undefined);
}

function startsWith(flow: Flow, completed: Completed): boolean {
  return completed.every(([stage], index) => flow[index] === stage);
}
