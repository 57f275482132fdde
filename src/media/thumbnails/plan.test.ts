import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { planThumbnail } from './plan.ts';

const wish = (width: number, height: number, method: 'crop' | 'scale') => ({
  width,
  height,
  method,
  isAnimated: false,
});

describe('planThumbnail', () => {
  it('scales into the next box that is large enough on both sides', () => {
    const photo = { width: 2304, height: 1728 };
    assert.deepEqual(planThumbnail(photo, wish(200, 200, 'scale')), { width: 320, height: 240 });
    assert.deepEqual(planThumbnail(photo, wish(320, 240, 'scale')), { width: 320, height: 240 });
    assert.deepEqual(planThumbnail(photo, wish(321, 10, 'scale')), { width: 640, height: 480 });
  });

  it('crops to the shape that is asked for', () => {
    assert.deepEqual(planThumbnail({ width: 3000, height: 2000 }, wish(96, 96, 'crop')), { width: 96, height: 96 });
    assert.deepEqual(planThumbnail({ width: 3000, height: 2000 }, wish(48, 24, 'crop')), { width: 96, height: 48 });
  });

  it('answers with the picture where that is no larger than what is asked for', () => {
    for (const method of ['crop', 'scale'] as const) {
      assert.equal(planThumbnail({ width: 50, height: 60 }, wish(96, 96, method)), 'original');
    }
  });

  it('answers with the picture where no thumbnail would be large enough', () => {
    assert.equal(planThumbnail({ width: 5000, height: 5000 }, wish(4000, 4000, 'scale')), 'original');
    assert.equal(planThumbnail({ width: 5000, height: 5000 }, wish(4000, 4000, 'crop')), 'original');
  });

  it('never enlarges, and is never smaller than asked for unless the picture is', () => {
    const pixels = fc.integer({ min: 1, max: 10_000 });
    fc.assert(
      fc.property(pixels, pixels, pixels, pixels, fc.constantFrom('crop', 'scale'), (w, h, width, height, method) => {
        const size = planThumbnail({ width: w, height: h }, wish(width, height, method));
        if (size === 'original') return;
        assert.ok(size.width <= w && size.height <= h);
        if (method === 'scale') assert.ok(size.width >= Math.min(w, width) && size.height >= Math.min(h, height));
        else if (width <= w && height <= h) assert.ok(size.width >= width && size.height >= height);
      }),
    );
  });
});
