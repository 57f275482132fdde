/** Types that are looked at; encrypted files have none of them. */
export const STRIPPED_TYPES: readonly string[] = [
  'image/jpeg',
  'image/jpg',
  'image/pjpeg',
  'image/png',
  'image/apng',
  'image/webp',
  'image/heic',
  'image/heif',
  'image/avif',
];
