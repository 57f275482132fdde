import { redactEvent } from '../../protocol/event/index.ts';
import type { EventId } from '../../protocol/ids/index.ts';
import { redactEventRow } from '../store/index.ts';
import { mayRedact } from './arrival-checks.ts';
import type { ReceiveDeps } from './deps.ts';

/** The event came after its redaction. */
export async function redactLate(
  deps: Pick<ReceiveDeps, 'database' | 'reader' | 'hotRooms'>,
  eventId: EventId,
  redactionNids: readonly number[],
): Promise<void> {
  const { database, reader, hotRooms } = deps;
  const [[target], redactions] = await database.read(async (tx) => {
    return [await reader.byIds(tx, [eventId]), await reader.byNids(tx, redactionNids)] as const;
  });
  const room = target === undefined ? undefined : await hotRooms.find(target.event.roomId);
  if (target === undefined || room === undefined || target.redactedBy !== undefined) return;
  const by = redactions.find(
    (stored) => !stored.isRefused && stored.roomNid === target.roomNid && mayRedact(room, stored.event, target),
  );
  if (by === undefined) return;
  const { json } = redactEvent(target.event);
  await database.write('main', async (tx) => {
    await redactEventRow(tx, target.nid, json, by.event.eventId);
    tx.onCommit(() => reader.forgetRedacted(target.nid));
  });
}
