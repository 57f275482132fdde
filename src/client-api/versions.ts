/** Spec: data/api/client-server/versions.yaml */
import type { Config } from '../config/index.ts';
import { type Route, route } from '../http/route.ts';

/** The last version of the specification that we follow; all versions 1.x up to it are compatible. */
const MINOR_VERSION_MAX = 19;

/** What we have of proposals, by their flags. A part that brings one adds its line here. */
const UNSTABLE_FEATURES: Readonly<Record<string, boolean>> = {
  'org.matrix.e2e_cross_signing': true,
  // MSC2432: aliases of rooms as they are since v1.1
  'org.matrix.msc2432': true,
  // MSC2285: private receipts
  'org.matrix.msc2285.stable': true,
  // MSC2946: spaces
  'org.matrix.msc2946': true,
  // MSC3030: the event nearest to a time
  'org.matrix.msc3030': true,
  // MSC3827: the directory by type of room
  'org.matrix.msc3827.stable': true,
  // MSC3916: media for those who are logged in
  'org.matrix.msc3916.stable': true,
  // MSC3814: dehydrated devices
  'org.matrix.msc3814': true,
  'org.matrix.msc3814.v1': true,
  // Threads, their list, their receipts and counts; relations of relations; filters by relation: all in the specification.
  'org.matrix.msc3440.stable': true,
  'org.matrix.msc3856.stable': true,
  'org.matrix.msc3771': true,
  'org.matrix.msc3773': true,
  'org.matrix.msc3981': true,
  // MSC3266: room summaries
  'org.matrix.msc3266': true,
  'org.matrix.msc3912': true,
  'org.matrix.msc3874': true,
  // MSC4133: profile fields
  'uk.tcpip.msc4133': true,
  'uk.tcpip.msc4133.stable': true,
  // MSC2666: mutual rooms
  'uk.half-shot.msc2666.query_mutual_rooms': true,
  'uk.half-shot.msc2666.query_mutual_rooms.stable': true,
  // MSC3881: switching pushers on and off
  'org.matrix.msc3881': true,
  'org.matrix.msc3881.stable': true,
  // MSC3882: login tokens
  'org.matrix.msc3882': true,
  // MSC4140: delayed events
  'org.matrix.msc4140': true,
  'org.matrix.msc4140.stable': true,
  // MSC4354: sticky events
  'org.matrix.msc4354': true,
  // MSC4143: where MatrixRTC's media go
  'org.matrix.msc4143': true,
  // MSC4151, MSC4260: reporting rooms and users
  'org.matrix.msc4151': true,
  'org.matrix.msc4260': true,
  'org.matrix.msc4260.stable': true,
  // MSC4155, MSC4380: blocking invites
  'org.matrix.msc4155': true,
  'org.matrix.msc4380': true,
  'org.matrix.msc4380.stable': true,
  // MSC4323: locking and suspending accounts
  'uk.timedout.msc4323': true,
  // MSC4169: redacting through /send
  'com.beeper.msc4169': true,
  // MSC3026: busy
  'org.matrix.msc3026.busy_presence': true,
  // MSC3391: deleting account data
  'org.matrix.msc3391': true,
};

/** Which versions of the specification we follow. */
export function versionsRoutes({ config }: { readonly config: Pick<Config, 'push' | 'rooms'> }): Route[] {
  const forced = config.rooms.encrypted_presets;
  const features = {
    ...UNSTABLE_FEATURES,
    // MSC4028: a push rule for every encrypted event
    'org.matrix.msc4028': config.push.encrypted_events,
    'io.element.e2ee_forced.public': forced.includes('public_chat'),
    'io.element.e2ee_forced.private': forced.includes('private_chat'),
    'io.element.e2ee_forced.trusted_private': forced.includes('trusted_private_chat'),
  };
  const versions = Array.from({ length: MINOR_VERSION_MAX }, (_, index) => `v1.${index + 1}`);
  return [
    route({
      method: 'GET',
      path: '/_matrix/client/versions',
      operationId: 'getVersions',
      spec: 'client-server-api/#get_matrixclientversions',
      auth: 'optional',
      handle: () => ({ versions, unstable_features: features }),
    }),
  ];
}
