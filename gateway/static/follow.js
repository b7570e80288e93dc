/** Keeps a scrolling element at its end while the reader is there, and else leaves it alone. */

const NEAR_PX = 48;

export class Follower {
  #scroller;
  following = true;

  /** `events`: where its scroll events arrive, if not at the element itself. */
  constructor(scroller, events = scroller) {
    this.#scroller = scroller;
    events.addEventListener("scroll", () => this.look(), { passive: true });
  }

  look() {
    const { scrollHeight, clientHeight, scrollTop } = this.#scroller;
    this.following = scrollHeight - clientHeight - scrollTop < NEAR_PX;
  }

  keep() {
    if (this.following) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  toEnd() {
    this.following = true;
    this.keep();
  }
}
