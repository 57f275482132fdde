import {
  DummyDriver,
  type Dialect as KyselyDialect,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type ValueNode,
} from 'kysely';
import { ListValue, QueryParam } from '../compiled-once.ts';

class Compiler extends SqliteQueryCompiler {
  /** `integer primary key` numbers itself; AUTOINCREMENT would cost a second table write for each insert. */
  protected override getAutoIncrement(): string {
    return '';
  }

  protected override visitValue(node: ValueNode): void {
    const { value } = node;
    if (value instanceof ListValue || (value instanceof QueryParam && value.list !== undefined)) {
      this.append('(select value from json_each(');
      this.appendValue(value instanceof ListValue ? JSON.stringify(value.values) : value);
      this.append('))');
    } else {
      super.visitValue(node);
    }
  }
}

/** Compiles for SQLite; the connections are not Kysely's. */
export const sqliteDialect: KyselyDialect = {
  createAdapter: () => new SqliteAdapter(),
  createDriver: () => new DummyDriver(),
  createQueryCompiler: () => new Compiler(),
  createIntrospector: (db) => new SqliteIntrospector(db),
};
