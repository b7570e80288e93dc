/** How much a frame draws of a long text: as much as leaves it short, on any machine.
 *
 * A frame is to be 16 ms, and the browser's own painting comes behind what is measured here.
 */

const SHORT_MS = 5;
const LEAST_CHARS = 500;
const MOST_CHARS = 6000;

export class Pace {
  /** For the next frame. The first one meets code that the browser has yet to compile. */
  chars = LEAST_CHARS;

  /** The frame that drew so many took `ms`. */
  took(ms) {
    const fitting = (this.chars * SHORT_MS) / Math.max(ms, 1);
    this.chars = Math.max(LEAST_CHARS, Math.min(fitting, 1.5 * this.chars, MOST_CHARS));
  }
}
