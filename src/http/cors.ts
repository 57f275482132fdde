/** Cross-origin headers for web clients. Spec: client-server-api/#web-browser-clients */

/** On every answer of the client, admin and health endpoints, as a flat list of names and values. */
export const CORS_HEADERS: readonly string[] = [
  'access-control-allow-origin',
  '*',
  'access-control-allow-methods',
  'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
  'access-control-allow-headers',
  'X-Requested-With, Content-Type, Authorization',
  // Beyond the spec's list: what scripts need to see of an answer.
  'access-control-expose-headers',
  'Retry-After, Content-Disposition',
];

/** What an answer to OPTIONS carries besides: browsers may remember it for a day. */
export const PREFLIGHT_HEADERS: readonly string[] = [...CORS_HEADERS, 'access-control-max-age', '86400'];
