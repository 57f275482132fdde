/** What passes in rooms without being an event of them: receipts, unread counts, typing. For src/rooms/index.ts. */
export { listReceiptsSent, receiptsStream } from './receipt-rows.ts';
export { type NewReceipt, Receipts, type ReceiptsDeps, type ReceiptType } from './receipts.ts';
export { TYPING_TIMEOUT_MS_DEFAULT, Typing, type TypingInRoom } from './typing.ts';
export { UnreadCounts, type UnreadRequest } from './unread-counts.ts';
export { type Counts, NO_COUNTS, NOTHING_UNREAD, sumOf, type UnreadRoom } from './unread-fold.ts';
