/** Keeps a conversation at its newest message, unless somebody reads further up. */

const NEAR = 80;

export class Scroller {
  #pinned = true;
  #placed = false;
  #top = 0;
  /** Heights of content and view when the place was last looked at. */
  #heights = [0, 0];

  /**
   * @param view the element that scrolls.
   * @param content what is in it; pictures may make it grow at any time.
   * @param jump button that leads to the end while one reads further up.
   */
  constructor(view, content, jump) {
    this.view = view;
    this.content = content;
    this.jump = jump;
    view.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    jump.addEventListener("click", () => this.toEnd());
    const observer = new ResizeObserver(() => this.#grown());
    observer.observe(content);
    observer.observe(view);
  }

  /** Another conversation is about to be shown. */
  reset() {
    this.#pinned = true;
    this.#placed = false;
    this.jump.hidden = true;
  }

  /**
   * The conversation has been drawn.
   *
   * @param first element to begin reading at, when it is drawn for the first time.
   */
  settle(first = null) {
    if (!this.#placed && this.content.childElementCount > 1) {
      this.#placed = true;
      this.#end();
      if (first) {
        const above = first.getBoundingClientRect().top - this.view.getBoundingClientRect().top;
        if (above < 0) {
          this.view.scrollTop += above - NEAR;
          this.#pinned = false;
        }
      }
      return;
    }
    this.#grown();
  }

  /** Draw something above what is read, without moving what is read. */
  keepPlace(draw) {
    const before = this.view.scrollHeight - this.view.scrollTop;
    this.#pinned = false;
    draw();
    this.view.scrollTop = this.view.scrollHeight - before;
    this.#scrolled();
  }

  /** A message came; whoever reads further up is offered the way to it. */
  arrived() {
    if (!this.#pinned) this.jump.hidden = false;
  }

  /** Go to the newest message. */
  toEnd() {
    this.#pinned = true;
    this.#end();
  }

  #end() {
    this.view.scrollTop = this.view.scrollHeight;
    this.jump.hidden = true;
  }

  #grown() {
    this.#heights = [this.view.scrollHeight, this.view.clientHeight];
    if (this.#pinned) this.#end();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.view;
    const [content, view] = this.#heights;
    const resized = content !== scrollHeight || view !== clientHeight;
    this.#heights = [scrollHeight, clientHeight];
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (atEnd) {
      this.#pinned = true;
    } else if (this.#pinned && resized) {
      // A picture has just loaded, or the window is being narrowed: nobody moved.
      this.#end();
    } else if (scrollTop < this.#top) {
      this.#pinned = false;
    }
    this.#top = this.view.scrollTop;
    if (this.#pinned) this.jump.hidden = true;
  }
}
