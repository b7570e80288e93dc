/** Scrolls a growing element to its end as long as the user has not scrolled up. */

const NEAR_END_PX = 48;

export class AutoScroll {
  #scroller;
  following = true;

  /** `events`: the target of the scroll events, if it is not the element itself. */
  constructor(scroller, events = scroller) {
    this.#scroller = scroller;
    events.addEventListener("scroll", () => this.update(), { passive: true });
  }

  /** Follows from now on if the element is scrolled to its end. */
  update() {
    const { scrollHeight, clientHeight, scrollTop } = this.#scroller;
    this.following = scrollHeight - clientHeight - scrollTop < NEAR_END_PX;
  }

  /** To be called when the element has grown. */
  follow() {
    if (this.following) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  scrollToEnd() {
    this.following = true;
    this.follow();
  }
}
