/** Spec: data/api/client-server/versions.yaml */
import { type Route, route } from '../http/route.ts';

/** The last version of the specification that we follow; all versions 1.x up to it are compatible. */
const MINOR_VERSION_MAX = 19;

/** What we have of proposals, by their flags. A part that brings one adds its line here. */
const UNSTABLE_FEATURES: Readonly<Record<string, boolean>> = {
  'org.matrix.e2e_cross_signing': true,
  // MSC3814: dehydrated devices
  'org.matrix.msc3814': true,
  'org.matrix.msc3814.v1': true,
  // MSC4133: profile fields
  'uk.tcpip.msc4133': true,
  'uk.tcpip.msc4133.stable': true,
};

/** Which versions of the specification we follow. */
export function versionsRoutes(): Route[] {
  const versions = Array.from({ length: MINOR_VERSION_MAX }, (_, index) => `v1.${index + 1}`);
  return [
    route({
      method: 'GET',
      path: '/_matrix/client/versions',
      operationId: 'getVersions',
      spec: 'client-server-api/#get_matrixclientversions',
      auth: 'optional',
      handle: () => ({ versions, unstable_features: UNSTABLE_FEATURES }),
    }),
  ];
}
