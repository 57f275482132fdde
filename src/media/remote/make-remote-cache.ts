import type { Config } from '../../config/index.ts';
import type { Federation } from '../../federation/index.ts';
import { RemoteCache, type RemoteCacheDeps } from './remote-cache.ts';
import { FederationSource } from './remote-source.ts';

/** The cache as the configuration wants it; undefined where there is no federation. */
export function makeRemoteCache(
  { remote, tidy, unauthenticated_downloads: isOpen }: Config['media'],
  federation: Federation | undefined,
  deps: Pick<RemoteCacheDeps, 'database' | 'blobs' | 'intake' | 'clock' | 'makeRoom'>,
): RemoteCache | undefined {
  if (federation === undefined) return undefined;
  return new RemoteCache({
    ...deps,
    source: new FederationSource(federation),
    deniedServers: remote.denied_servers.map((name) => name.toLowerCase()),
    fileBytesMax: Math.min(remote.size_max, tidy.remote_cache_max),
    timeoutMs: remote.timeout,
    perServerMax: remote.per_server_max,
    isOpen,
  });
}
