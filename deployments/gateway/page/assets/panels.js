// Panels ask each at its own pace, sooner where the stream says so; a hidden page asks nothing.
import { Refused } from "/assets/api.js";
import { say } from "/assets/dom.js";

const SOON_MS = 100;

export class Panel {
  // `every`: milliseconds between questions; `calm`: while the stream is open. `body` is where a refusal is told.
  constructor({ every, calm = every, body = null, load, failed = () => {} }) {
    Object.assign(this, { every, calm, body, load, failed });
    this.busy = this.again = this.ended = false;
    this.last = this.turn = 0;
  }

  // `isCalm` tells whether the stream is open; `gone` is called where the credential holds no longer.
  begin(isCalm, gone) {
    this.ended = false;
    this.gone = gone;
    this.timer = setInterval(() => Date.now() - this.last >= (isCalm() ? this.calm : this.every) && this.soon(), 1000);
    this.soon();
  }

  // Asks within this time, however often it is called.
  within(ms) {
    this.last = Math.min(this.last, Date.now() - this.every + ms);
  }

  // Asks at once, whatever is still on its way: it was about something else.
  anew() {
    this.turn += 1;
    this.busy = false;
    this.soon();
  }

  async soon() {
    if (document.hidden || this.ended) return;
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    this.again = false;
    this.last = Date.now();
    const turn = this.turn;
    try {
      await this.load();
    } catch (error) {
      if (turn === this.turn && !this.ended && error.name !== "AbortError") this.refused(error);
    }
    if (turn !== this.turn) return;
    this.busy = false;
    // What happened while an answer was on its way may not be in it.
    if (this.again) setTimeout(() => this.soon(), SOON_MS);
  }

  refused(error) {
    if (error instanceof Refused && error.status === 401) {
      this.gone(error.message);
      return;
    }
    // What was shown stays where the gateway is only away for a moment.
    if (this.body && error instanceof Refused && error.status < 500) say(this.body, error.message);
    this.failed(error);
  }

  end() {
    this.ended = true;
    clearInterval(this.timer);
  }
}
