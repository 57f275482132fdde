import type { RoomId, UserId } from '../protocol/ids/index.ts';
import { type JsonObject, readString } from '../protocol/json/index.ts';
import type { Reading, RoomReads, StoredEvent, Viewer } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import { encodeTimelineToken } from '../streams/index.ts';
import type { SearchHit, SearchPage } from './search.ts';

/** What belongs to the answer beside the events found. */
export interface SearchAnswerOptions {
  readonly context: { readonly before: number; readonly after: number; readonly includeProfile: boolean } | undefined;
  readonly groupBy: readonly ('room_id' | 'sender')[];
  readonly includeState: boolean;
}

/** The category `room_events` of an answer, as JSON text. Spec: client-server-api/#post_matrixclientv3search */
export async function answerJson(
  reading: Reading,
  reads: RoomReads,
  viewer: Viewer,
  page: SearchPage,
  options: SearchAnswerOptions,
): Promise<string> {
  const ignored = await reading.accounts.ignoredUsers(viewer.userId);
  const results = await reading.database.read(async (tx) => {
    const texts: string[] = [];
    for (const hit of page.hits) texts.push(await resultJson(tx, reading, viewer, hit, ignored, options));
    return texts;
  });
  let json = `"count":${page.count},"highlights":${JSON.stringify(page.highlights)},"results":[${results.join(',')}]`;
  if (options.groupBy.length > 0) json += `,"groups":${JSON.stringify(groupsOf(page.hits, options.groupBy))}`;
  if (options.includeState) json += `,"state":{${(await stateOf(reads, viewer, page.hits)).join(',')}}`;
  if (page.next !== undefined) json += `,"next_batch":"${page.next}"`;
  return `{${json}}`;
}

async function resultJson(
  tx: ReadTx,
  reading: Reading,
  viewer: Viewer,
  { stored, sight, rank }: SearchHit,
  ignored: ReadonlySet<UserId>,
  { context }: SearchAnswerOptions,
): Promise<string> {
  const { events, presenter } = reading;
  const { roomNid, position } = stored;
  const [result] = await presenter.present(tx, [stored], viewer, { sight, aggregateBut: ignored });
  if (context === undefined) return `{"rank":${rank},"result":${result}}`;
  const before = await events.inRoom(tx, roomNid, { from: position - 1, dir: 'b', limit: context.before });
  const after = await events.inRoom(tx, roomNid, { from: position, dir: 'f', limit: context.after });
  const isHeard = ({ event }: StoredEvent) => event.isState || !ignored.has(event.sender);
  const seen = [
    await sight.visible(tx, before.filter(isHeard)),
    await sight.visible(tx, after.filter(isHeard)),
  ] as const;
  const earlier = await presenter.present(tx, seen[0], viewer, { sight, aggregateBut: ignored });
  const later = await presenter.present(tx, seen[1], viewer, { sight, aggregateBut: ignored });
  const start = encodeTimelineToken((before.at(-1)?.position ?? position) - 1);
  const end = encodeTimelineToken(after.at(-1)?.position ?? position);
  let json =
    `"start":"${start}","end":"${end}",` + `"events_before":[${earlier.join(',')}],"events_after":[${later.join(',')}]`;
  if (context.includeProfile) {
    const profiles = await profilesAt(tx, reading, stored, [...seen[0], stored, ...seen[1]]);
    json += `,"profile_info":${JSON.stringify(profiles)}`;
  }
  return `{"rank":${rank},"result":${result},"context":{${json}}}`;
}

/** The senders' profiles as they were in the room at the event. */
async function profilesAt(
  tx: ReadTx,
  { states }: Reading,
  at: StoredEvent,
  shown: readonly StoredEvent[],
): Promise<Record<string, JsonObject>> {
  const profiles: Record<string, JsonObject> = {};
  for (const sender of new Set<UserId>(shown.map(({ event }) => event.sender))) {
    const content = (await states.memberEvent(tx, at.stateBefore, sender))?.event.content ?? {};
    const displayname = readString(content, 'displayname');
    const avatar = readString(content, 'avatar_url');
    profiles[sender] = {
      ...(displayname === undefined ? {} : { displayname }),
      ...(avatar === undefined ? {} : { avatar_url: avatar }),
    };
  }
  return profiles;
}

function groupsOf(hits: readonly SearchHit[], keys: SearchAnswerOptions['groupBy']) {
  const groups: Record<string, Record<string, { order: number; results: string[] }>> = {};
  for (const key of keys) {
    const byValue: Record<string, { order: number; results: string[] }> = {};
    let order = 0;
    for (const { stored } of hits) {
      const value = key === 'room_id' ? stored.event.roomId : stored.event.sender;
      let group = byValue[value];
      if (group === undefined) {
        order++;
        group = { order, results: [] };
        byValue[value] = group;
      }
      group.results.push(stored.event.eventId);
    }
    groups[key] = byValue;
  }
  return groups;
}

async function stateOf(reads: RoomReads, viewer: Viewer, hits: readonly SearchHit[]): Promise<readonly string[]> {
  const roomIds = new Set<RoomId>(hits.map(({ stored }) => stored.event.roomId));
  return Promise.all(
    [...roomIds].map(async (roomId) => `${JSON.stringify(roomId)}:${await reads.state({ roomId, viewer })}`),
  );
}
