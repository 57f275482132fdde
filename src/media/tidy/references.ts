/** Follows events to know which of our files are referred to, and lets files go when the last event that did is redacted. */
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import { type Jobs, job } from '../../jobs/index.ts';
import type { ServerName } from '../../protocol/ids/index.ts';
import type { Database, WriteTx } from '../../storage/index.ts';
import { type ConsumerDeps, runConsumer } from '../../streams/index.ts';
import { isAvatar, isInAccountData, listReferringEvents, type ReferringEvent } from '../store/event-rows.ts';
import { findMedia } from '../store/media-rows.ts';
import { isReferred, putReference, putSent, takeReferences, wasSent } from '../store/reference-rows.ts';
import type { Deletions } from './deletions.ts';

export interface ReferencesDeps {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly deletions: Deletions;
  /** How long after the redaction a file goes, in milliseconds; undefined: never. */
  readonly delayMs: number | undefined;
}

const JOB = 'media.delete_unreferenced';
const CONSUMER = 'media.references';
const MXC = /mxc:\/\/([^"\\/\s]{1,255})\/([A-Za-z0-9_-]{1,255})/g;

/** The `mxc:` URIs that a text mentions. */
export function* mediaIn(text: string): Generator<{ readonly origin: string; readonly mediaId: string }> {
  if (!text.includes('mxc://')) return;
  for (const [, origin, mediaId] of text.matchAll(MXC)) {
    if (origin !== undefined && mediaId !== undefined) yield { origin, mediaId };
  }
}

/** The files of `serverName` that a JSON text mentions, each once. */
export function mediaIdsIn(json: string, serverName: string): readonly string[] {
  const ids = new Set<string>();
  for (const { origin, mediaId } of mediaIn(json)) if (origin === serverName) ids.add(mediaId);
  return [...ids];
}

/** The consumer of events, and the job that deletes. */
export class References implements AsyncDisposable {
  readonly #deps: ReferencesDeps;
  #running: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;

  constructor(deps: ReferencesDeps) {
    this.#deps = deps;
    deps.jobs.declare(
      job({
        name: JOB,
        payload: z.object({ mediaId: z.string() }),
        handle: ({ mediaId }) => this.#deleteIfUnreferenced(mediaId),
      }),
    );
  }

  /** Begins to follow, from where it was. */
  start(consumerDeps: ConsumerDeps): void {
    const controller = new AbortController();
    const ended = runConsumer<ReferringEvent>(
      {
        name: CONSUMER,
        stream: 'events',
        startAt: 'beginning',
        read: (tx, from, upTo, limit) => listReferringEvents(tx, { from, upTo, limit }),
        handle: async (events) => (tx) => this.#note(tx, events),
        signal: controller.signal,
      },
      consumerDeps,
    );
    this.#running = { controller, ended };
  }

  async #note(tx: WriteTx, events: readonly ReferringEvent[]): Promise<void> {
    const { serverName } = this.#deps;
    for (const { eventId, sender, json, redacted } of events) {
      for (const mediaId of mediaIdsIn(json, serverName)) {
        await putReference(tx, mediaId, eventId);
        if ((await findMedia(tx, serverName, mediaId))?.uploader === sender) await putSent(tx, mediaId);
      }
      if (redacted !== undefined) await this.#release(tx, redacted);
    }
  }

  async #release(tx: WriteTx, redactedId: string): Promise<void> {
    const { delayMs, jobs, clock } = this.#deps;
    for (const mediaId of await takeReferences(tx, redactedId)) {
      if (delayMs === undefined || (await isReferred(tx, mediaId))) continue;
      await jobs.enqueue(tx, JOB, { mediaId }, { key: mediaId, notBeforeMs: clock.now() + delayMs });
    }
  }

  /**
   * It may be referred to again by now, be somebody's avatar, or in a pack of its uploader. One that its uploader has not sent stays: it may be of an
   * encrypted room, and whoever knows its URI could have it deleted by an event that mentions it.
   */
  async #deleteIfUnreferenced(mediaId: string): Promise<void> {
    const { database, deletions, serverName } = this.#deps;
    const row = await database.read(async (tx) => {
      if ((await isReferred(tx, mediaId)) || !(await wasSent(tx, mediaId))) return undefined;
      const mxc = `mxc://${serverName}/${mediaId}`;
      if (await isAvatar(tx, mxc)) return undefined;
      const found = await findMedia(tx, serverName, mediaId);
      if (found?.uploader == null || (await isInAccountData(tx, found.uploader, mxc))) return undefined;
      return found;
    });
    if (row === undefined || row.is_protected === 1) return;
    await deletions.delete([row], 'the last event that referred to it was redacted');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running?.controller.abort();
    await this.#running?.ended;
  }
}
