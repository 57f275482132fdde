/** Spec: data/api/server-server/transactions.yaml */
import { z } from 'zod';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema } from '../http/schema.ts';
import { type JsonValue, withPlainNumbers } from '../protocol/json/index.ts';
import { V1 } from './paths.ts';
import type { TransactionReceiver } from './transaction-receiver.ts';

const PDUS_MAX = 50;
const EDUS_MAX = 100;
/** Not walked through, which takes seconds for a large one, and not copied: the numbers in it are raw JSON values still. */
const jsonValueSchema = z.custom<JsonValue>(() => true);
/** 50 events of 64 KiB and 100 messages, escaped. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

/** Takes what other servers send by themselves. */
export function transactionsRoutes({ transactions }: { readonly transactions: TransactionReceiver }): Route[] {
  return [
    route({
      method: 'PUT',
      path: `${V1}/send/{txnId}`,
      operationId: 'sendTransaction',
      spec: 'server-server-api/#put_matrixfederationv1sendtxnid',
      auth: 'federation',
      bodyBytesMax: BODY_BYTES_MAX,
      params: z.object({ txnId: z.string().min(1) }),
      body: z.object({
        pdus: z.array(jsonObjectSchema).max(PDUS_MAX).optional(),
        edus: z.array(jsonValueSchema).max(EDUS_MAX).optional(),
      }),
      keepsNumbers: true,
      handle: ({ requester: { origin }, params: { txnId }, body: { pdus = [], edus = [] } }) => {
        return transactions.receive({ origin, txnId, pdus, edus: withPlainNumbers(edus) });
      },
    }),
  ];
}
