/** Paths of the server-server API. */
export const V1 = '/_matrix/federation/v1';
export const V2 = '/_matrix/federation/v2';
