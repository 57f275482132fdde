/** Finds the route of a request: one trie over the paths, and for each path its routes by method. */
import findMyWay from 'find-my-way';
import type { HttpMethod, Resource, Route } from './route.ts';

/** All routes of one path. */
export interface PathEntry {
  readonly byMethod: Readonly<Partial<Record<HttpMethod | 'HEAD', Route>>>;
  /** For the `Allow` header: the methods of the routes, and those that are answered without one. */
  readonly allowed: readonly string[];
  /** The resource of the path's routes (they must agree), which decides the listeners and CORS. */
  readonly resource: Resource;
  readonly paramNames: readonly string[];
}

/** A path that was found. `params` are percent-decoded, `query` is still the raw text after the question mark. */
export interface Match {
  readonly entry: PathEntry;
  readonly params: Readonly<Record<string, string>>;
  readonly query: string;
}

export interface Router {
  /** The paths of the table, as declared. */
  readonly paths: readonly string[];
  /**
   * Looks up a request target (path and query). `bad` where the path isn't valid percent-encoding, undefined where
   * there is no such path or a param is empty. A trailing slash makes no difference: `…/state/{eventType}/` is the empty state key.
   */
  find(target: string): Match | 'bad' | undefined;
}

/** Longer than any identifier (255 bytes, each three characters when percent-encoded), and short enough to be harmless. */
const PARAM_LENGTH_MAX = 4096;

/**
 * Builds the router. Two routes may share a path if their methods differ; the params of one path must carry the same
 * names in all its routes. Throws an `Error` where the table contradicts itself, so that the server doesn't start.
 */
export function createRouter(routes: readonly Route[]): Router {
  const entries = collectEntries(routes);
  const trie = findMyWay({
    ignoreTrailingSlash: true,
    caseSensitive: true,
    maxParamLength: PARAM_LENGTH_MAX,
    querystringParser: () => NO_QUERY,
  });
  // Each path stands in the trie once, under GET: the method is looked up in its entry, so that a wrong one is known.
  for (const [path, entry] of entries) trie.on('GET', triePath(path), () => undefined, entry);
  trie.compile();
  return {
    paths: [...entries.keys()],
    find(target) {
      const mark = target.indexOf('?');
      const path = mark === -1 ? target : target.slice(0, mark);
      const found = trie.find('GET', path);
      if (found === null) return hasBadEncoding(path) ? 'bad' : undefined;
      const entry: PathEntry = found.store;
      const params = found.params as Record<string, string>;
      for (const name of entry.paramNames) if (params[name] === '') return undefined;
      return { entry, params, query: mark === -1 ? '' : target.slice(mark + 1) };
    },
  };
}

const NO_QUERY = {};

function collectEntries(routes: readonly Route[]): Map<string, PathEntry> {
  const entries = new Map<
    string,
    PathEntry & { byMethod: Partial<Record<HttpMethod | 'HEAD', Route>>; allowed: string[] }
  >();
  const pathOfShape = new Map<string, string>();
  for (const route of routes) {
    for (const path of route.paths) {
      const shape = path.replaceAll(/\{[^}]*\}/g, '{}');
      const known = pathOfShape.get(shape) ?? path;
      if (known !== path) throw new Error(`Routes ${known} and ${path} name their params differently`);
      pathOfShape.set(shape, path);
      const entry = entries.get(path) ?? {
        byMethod: {},
        allowed: ['OPTIONS'],
        resource: route.resource,
        paramNames: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? ''),
      };
      entries.set(path, entry);
      if (entry.byMethod[route.method] !== undefined) throw new Error(`Two routes for ${route.method} ${path}`);
      if (entry.resource !== route.resource) throw new Error(`The routes of ${path} differ in their resource`);
      entry.byMethod[route.method] = route;
      entry.allowed.unshift(route.method);
      if (route.method === 'GET') {
        entry.byMethod.HEAD = route;
        entry.allowed.push('HEAD');
      }
    }
  }
  return entries;
}

/** `{name}` to the trie's `:name`; a colon of the path stands for itself. */
function triePath(path: string): string {
  return path.replaceAll(':', '::').replaceAll(/\{([A-Za-z0-9_]+)\}/g, ':$1');
}

function hasBadEncoding(path: string): boolean {
  if (!path.includes('%')) return false;
  try {
    decodeURIComponent(path);
    return false;
  } catch {
    return true;
  }
}
