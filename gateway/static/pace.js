/** How many characters of a long text one frame draws, so that frames stay short on any machine.
 *
 * A frame has 16 ms. The time measured here does not include the browser's own layout and paint.
 */

const TARGET_MS = 5;
const MIN_CHARS = 500;
const MAX_CHARS = 6000;

export class Pace {
  /** For the next frame. The first frame is slow, as the browser has yet to compile the code. */
  chars = MIN_CHARS;

  /** Adapts `chars` to the time that the last frame took. */
  frameTook(ms) {
    const fitting = (this.chars * TARGET_MS) / Math.max(ms, 1);
    this.chars = Math.max(MIN_CHARS, Math.min(fitting, 1.5 * this.chars, MAX_CHARS));
  }
}
