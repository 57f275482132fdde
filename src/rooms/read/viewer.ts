import type { DeviceId, UserId } from '../../protocol/ids/index.ts';

/** For whom events are read: a user, at one of their devices. */
export interface Viewer {
  readonly userId: UserId;
  /** Undefined where no device asks; then no event gets a transaction id. */
  readonly deviceId: DeviceId | undefined;
}
