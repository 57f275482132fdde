import type { UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import type { ReceiptRow } from './receipt-rows.ts';

type Receipt = { readonly ts: number; readonly thread_id?: string };

/**
 * The content of a room's `m.receipt` event, or undefined where a viewer gets none of the receipts. It has room for one
 * receipt of a user and type on an event: of several for different threads an unthreaded one wins, since it says most.
 * Spec: client-server-api/#mreceipt
 * @param viewer whose private receipts are included; those of others never are
 */
export function receiptContent(rows: readonly ReceiptRow[], viewer: UserId): JsonObject | undefined {
  const content: Record<string, Record<string, Record<string, Receipt>>> = {};
  let isEmpty = true;
  for (const row of rows) {
    if (row.type === 'm.read.private' && row.user_id !== viewer) continue;
    isEmpty = false;
    content[row.event_id] ??= {};
    const types = content[row.event_id] ?? {};
    types[row.type] ??= {};
    const users = types[row.type] ?? {};
    const present = users[row.user_id];
    if (present !== undefined && present.thread_id === undefined) continue;
    users[row.user_id] = row.thread_id === '' ? { ts: row.ts } : { ts: row.ts, thread_id: row.thread_id };
  }
  return isEmpty ? undefined : content;
}
