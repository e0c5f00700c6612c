// The stream of the platform: says when something has happened, so that panels ask at once; without it they ask often.
import { token } from "/assets/api.js";

const CHANNELS = { orders: "trading:read", fills: "trading:read", risk: "risk:read", jobs: "jobs:read" };
const LONGEST_PAUSE_MS = 30000;

export class Live {
  // `happened(channel, account)` is called for each event, `changed(isOpen)` where the stream begins and ends.
  constructor(scopes, happened, changed) {
    this.channels = Object.keys(CHANNELS).filter((channel) => scopes.includes(CHANNELS[channel]));
    this.happened = happened;
    this.changed = changed;
    this.pause = 500;
    this.isOpen = false;
    this.ended = false;
    this.open();
  }

  open() {
    if (this.ended) return;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}/stream/v1`);
    this.socket.onopen = () => this.say({ action: "authenticate", token: token() });
    this.socket.onmessage = (frame) => [].concat(JSON.parse(frame.data)).forEach((message) => this.hear(message));
    this.socket.onclose = () => this.lost();
  }

  say(message) {
    this.socket.send(JSON.stringify(message));
  }

  hear(message) {
    if (message.type === "authenticated") {
      this.say({ action: "subscribe", channels: Object.fromEntries(this.channels.map((channel) => [channel, {}])) });
    } else if (message.type === "subscribed") {
      this.pause = 500;
      this.tell(true);
      // What happened before the first event is asked for once.
      this.channels.forEach((channel) => this.happened(channel, ""));
    } else if (message.channel) {
      this.happened(message.channel, message.account || "");
    }
  }

  lost() {
    if (this.ended) return;
    this.tell(false);
    this.timer = setTimeout(() => this.open(), this.pause * (0.5 + Math.random() / 2));
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
  }

  tell(isOpen) {
    if (this.isOpen !== isOpen) this.changed((this.isOpen = isOpen));
  }

  end() {
    this.ended = true;
    clearTimeout(this.timer);
    this.socket.close();
  }
}
