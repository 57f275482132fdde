/**
 * Identifiers as branded strings: a `UserId` has passed its grammar, and only the `parse…` functions of this folder make one.
 */
declare const brand: unique symbol;

type Branded<Name extends string> = string & { readonly [brand]: Name };

/** `@localpart:server`, historical ones included. */
export type UserId = Branded<'UserId'>;
/** `!opaque:server`, or from room version 12 `!` and a hash. */
export type RoomId = Branded<'RoomId'>;
/** `$…`, opaque. */
export type EventId = Branded<'EventId'>;
/** `#alias:server`. */
export type RoomAlias = Branded<'RoomAlias'>;
/** A hostname or IP literal with an optional port. */
export type ServerName = Branded<'ServerName'>;
/** A device of a user. */
export type DeviceId = Branded<'DeviceId'>;
/** `algorithm:name`, as `ed25519:a_1`. */
export type KeyId = Branded<'KeyId'>;
/** `mxc://server/media-id`. */
export type MxcUri = Branded<'MxcUri'>;
/** A room version that follows the grammar; whether we know it, `room-versions/` says. */
export type RoomVersionId = Branded<'RoomVersionId'>;
