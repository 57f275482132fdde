/** Which thumbnail answers a request. Only a few sizes are ever made of a picture, whatever clients ask for. */

/** What a client asks for; sizes in pixels. */
export interface ThumbnailWish {
  readonly width: number;
  readonly height: number;
  readonly method: 'crop' | 'scale';
  readonly isAnimated: boolean;
}

/** A size in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The boxes of `scale`: the specification's, then larger ones. Spec: client-server-api/#thumbnails */
export const SCALE_BOXES: readonly Size[] = [
  { width: 32, height: 32 },
  { width: 96, height: 96 },
  { width: 320, height: 240 },
  { width: 640, height: 480 },
  { width: 800, height: 600 },
  { width: 1600, height: 1200 },
];

/** The longer sides of `crop`, whose shape is the one that is asked for. */
export const CROP_SIDES: readonly number[] = [32, 96, 320, 640, 800, 1600];

/**
 * The size of the thumbnail, or that the picture itself is the answer: because it is no larger than what is asked for, or
 * because no thumbnail would be large enough. Never larger than the picture; never smaller than the wish where the picture isn't.
 */
export function planThumbnail(picture: Size, wish: ThumbnailWish): Size | 'original' {
  if (picture.width <= wish.width && picture.height <= wish.height) return 'original';
  return wish.method === 'crop' ? planCrop(picture, wish) : planScale(picture, wish);
}

function planScale(picture: Size, wish: Size): Size | 'original' {
  for (const box of SCALE_BOXES) {
    const ratio = Math.min(box.width / picture.width, box.height / picture.height);
    if (ratio >= 1) return 'original';
    const size = {
      width: Math.max(1, Math.round(picture.width * ratio)),
      height: Math.max(1, Math.round(picture.height * ratio)),
    };
    const isEnough =
      size.width >= Math.min(wish.width, picture.width) && size.height >= Math.min(wish.height, picture.height);
    if (isEnough) return size;
  }
  return 'original';
}

function planCrop(picture: Size, wish: Size): Size | 'original' {
  const longer = Math.max(wish.width, wish.height);
  const side = CROP_SIDES.find((one) => one >= longer);
  if (side === undefined) return 'original';
  const wanted = side / longer;
  // Not beyond the picture, keeping the shape.
  const ratio = Math.min(wanted, picture.width / wish.width, picture.height / wish.height);
  return {
    width: Math.min(picture.width, Math.max(1, Math.round(wish.width * ratio))),
    height: Math.min(picture.height, Math.max(1, Math.round(wish.height * ratio))),
  };
}
