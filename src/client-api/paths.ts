/** The paths of a v3 endpoint, today's and the one of before 2021, which old clients still use. */
export function v3<Path extends string>(
  path: Path,
): readonly [`/_matrix/client/v3${Path}`, `/_matrix/client/r0${Path}`] {
  return [`/_matrix/client/v3${path}`, `/_matrix/client/r0${path}`];
}

/** MSC4354: the query parameter that makes an event sticky, in milliseconds. */
export const STICKY_PARAM = 'org.matrix.msc4354.sticky_duration_ms';
