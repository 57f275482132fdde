/** What encryption adds to `/sync`: messages to devices, changed device lists, counts of one-time keys. */
import { type Devices, toDeviceStream } from '../devices/index.ts';
import { MEMBERS, type Viewer } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { SyncToken } from '../streams/index.ts';
import { deviceListChanges, hasDeviceListNews } from './device-lists.ts';
import type { Produced, SyncExtension } from './extension.ts';
import type { OnlineUser } from './online-user.ts';
import type { SyncRooms } from './ports.ts';

type DevicesPart = Pick<Devices, 'lists' | 'oneTimeKeys' | 'toDevice'>;

/** The extensions of encryption. */
export function encryptionExtensions(devices: DevicesPart, rooms: SyncRooms): readonly SyncExtension[] {
  return [toDeviceExtension(devices), deviceListsExtension(devices, rooms), keyCountsExtension(devices)];
}

/** Spec: client-server-api/#extensions-to-sync */
function toDeviceExtension({ toDevice }: DevicesPart): SyncExtension {
  return {
    streams: ['to_device'],
    hasNews: (user, viewer, since) => newestFor(user, viewer) > since.toDevice,
    async confirm(user, viewer, since) {
      if (viewer.deviceId === undefined) return;
      await toDevice.confirm(viewer.userId, viewer.deviceId, since.toDevice, newestFor(user, viewer));
    },
    async produce(tx: ReadTx, { viewer, since, to, user }): Promise<Produced> {
      const from = since?.toDevice ?? 0;
      if (viewer.deviceId === undefined || newestFor(user, viewer) <= from) return NOTHING;
      const { events, upTo } = await toDevice.between(tx, viewer.userId, viewer.deviceId, from, to.toDevice);
      if (events.length === 0) return NOTHING;
      return { members: [`"to_device":{"events":[${events.join(',')}]}`], upTo: { toDevice: upTo } };
    },
  };
}

/** Where there was last something for the viewer's device; of an unknown one, anything up to when the user came. */
function newestFor(user: OnlineUser, { deviceId }: Viewer): number {
  return deviceId === undefined ? 0 : Math.max(user.newest('to_device'), user.newest(toDeviceStream(deviceId)));
}

function deviceListsExtension({ lists }: DevicesPart, rooms: SyncRooms): SyncExtension {
  return {
    streams: ['device_lists', MEMBERS],
    hasNews: (user: OnlineUser, _viewer: Viewer, since: SyncToken) => hasDeviceListNews(user, since),
    async produce(tx, { user, since, to }): Promise<Produced> {
      if (since === undefined || !hasDeviceListNews(user, since)) return NOTHING;
      const changes = await deviceListChanges(tx, rooms, lists, user, { from: since, to });
      if (changes.changed.length + changes.left.length === 0) return NOTHING;
      return { members: [`"device_lists":${JSON.stringify(changes)}`] };
    },
  };
}

function keyCountsExtension({ oneTimeKeys }: DevicesPart): SyncExtension {
  return {
    streams: [],
    hasNews: () => false,
    produce: async () => NOTHING,
    async always({ userId, deviceId }) {
      if (deviceId === undefined) return [];
      const counts = await oneTimeKeys.counts(userId, deviceId);
      return [
        `"device_one_time_keys_count":${counts.oneTimeKeys}`,
        `"device_unused_fallback_key_types":${counts.unusedFallbackTypes}`,
        `"org.matrix.msc2732.device_unused_fallback_key_types":${counts.unusedFallbackTypes}`,
      ];
    },
  };
}

const NOTHING: Produced = { members: [] };
