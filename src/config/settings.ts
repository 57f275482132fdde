/** The settings as a flat list, read off the schema: what sample, docs and `config explain` are written from. */
import { z } from 'zod';
import { configSchema } from './schema.ts';

/** One setting or section. */
export interface Setting {
  /** `rate_limits.message.burst`; entries of lists as `listeners[].port`. */
  readonly key: string;
  readonly description: string;
  /** What values it takes, in words; undefined for sections. */
  readonly accepts: string | undefined;
  /** As YAML would have it on one line; undefined where there is no default. */
  readonly default: unknown;
  readonly examples: readonly unknown[];
  readonly isSection: boolean;
  /** 0 for the sections. */
  readonly depth: number;
}

interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly format?: string;
}

/** The JSON schema of a configuration file. */
export function jsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
}

/** Every section and setting, in the order of the file. */
export function listSettings(): readonly Setting[] {
  return [...walk('', jsonSchema() as SchemaNode, 0)];
}

function* walk(prefix: string, node: SchemaNode, depth: number): Generator<Setting> {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    const inner = child.properties === undefined ? child.items : child;
    const isSection = child.properties !== undefined || child.items?.properties !== undefined;
    yield {
      key,
      description: child.description ?? '',
      accepts: isSection ? undefined : acceptsOf(child),
      default: child.default,
      examples: child.examples ?? [],
      isSection,
      depth,
    };
    if (isSection && inner !== undefined) yield* walk(child.items === undefined ? key : `${key}[]`, inner, depth + 1);
  }
}

function acceptsOf(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map(String).join(', ');
  if (node.type === 'array') return node.items === undefined ? 'a list' : `a list of: ${acceptsOf(node.items)}`;
  if (node.type === 'boolean') return 'true, false';
  if (node.type === 'integer' || node.type === 'number') return rangeOf(node);
  if (node.type === 'object') return 'fields of any kind';
  if (node.anyOf?.every(({ format }) => format?.startsWith('ip'))) return 'IP addresses';
  if (node.format === 'uri') return 'an address (URL)';
  return 'text';
}

function rangeOf({ type, minimum, maximum, exclusiveMinimum }: SchemaNode): string {
  const what = type === 'integer' ? 'a whole number' : 'a number';
  const isBounded = (bound: number | undefined): bound is number =>
    bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
  if (isBounded(exclusiveMinimum)) return `${what} above ${exclusiveMinimum}`;
  if (isBounded(minimum) && isBounded(maximum)) return `${what} from ${minimum} to ${maximum}`;
  return isBounded(minimum) ? `${what} from ${minimum}` : what;
}
