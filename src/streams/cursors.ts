import { compiledOnce, type ReadTx, type WriteTx } from '../storage/index.ts';
import './tables.ts';

/** How far durable consumers have come. */
export class Cursors {
  /** The last position that the consumer has done, or undefined if it never ran. */
  async find(tx: ReadTx, consumer: string): Promise<number | undefined> {
    return (await tx.find(cursorOf, { consumer }))?.position;
  }

  /** Remembers that everything up to `position` is done. */
  async set(tx: WriteTx, consumer: string, position: number): Promise<void> {
    await tx.change(setCursor, { consumer, position });
  }

  /** Forgets a consumer that is no more. */
  async delete(tx: WriteTx, consumer: string): Promise<void> {
    await tx.change(deleteCursor, { consumer });
  }
}

const cursorOf = compiledOnce<{ consumer: string }>()((db, p) =>
  db.selectFrom('consumer_cursors').select('position').where('consumer', '=', p('consumer')),
);

const setCursor = compiledOnce<{ consumer: string; position: number }>()((db, p) =>
  db
    .insertInto('consumer_cursors')
    .values({ consumer: p('consumer'), position: p('position') })
    .onConflict((conflict) =>
      conflict.column('consumer').doUpdateSet({ position: (eb) => eb.ref('excluded.position') }),
    ),
);

const deleteCursor = compiledOnce<{ consumer: string }>()((db, p) =>
  db.deleteFrom('consumer_cursors').where('consumer', '=', p('consumer')),
);
