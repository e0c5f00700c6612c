// The stream of the platform: says when something has happened, so that panels ask at once; without it they ask often.
import { token } from "/assets/api.js";

const NEEDS = {
  orders: "trading:read", fills: "trading:read", risk: "risk:read", jobs: "jobs:read", decisions: "swarms:read", bars: "strategies:read",
};
const RECENT = { decisions: 60, bars: 600 }; // Events from before that are asked for, since no route tells of them.
const LONGEST_PAUSE_MS = 30000;

export class Live {
  // `happened(message)` is called for each event, `changed(isOpen)` where the stream begins and ends.
  constructor(scopes, happened, changed) {
    this.channels = Object.keys(NEEDS).filter((channel) => scopes.includes(NEEDS[channel]));
    this.happened = happened;
    this.changed = changed;
    this.pause = 500;
    this.isOpen = false;
    this.ended = false;
    this.open();
  }

  open() {
    if (this.ended || !this.channels.length) return;
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
    if (message.type === "ping") {
      this.say({ action: "pong", number: message.number });
    } else if (message.type === "authenticated") {
      this.say({ action: "subscribe", channels: Object.fromEntries(this.channels.map((channel) => [channel, {}])) });
    } else if (message.type === "subscribed" && !this.isOpen) {
      this.pause = 500;
      this.tell(true);
      this.lookBack(message);
      // What happened before the first event is asked for once.
      this.channels.forEach((channel) => this.happened({ channel, account: "" }));
    } else if (message.type === "event" || message.type === "gap") {
      this.happened(message);
    }
  }

  lookBack({ epoch, channels }) {
    const places = this.channels.filter((channel) => RECENT[channel] && channels[channel] > 0)
      .map((channel) => [channel, { after: Math.max(0, channels[channel] - RECENT[channel]) }]);
    if (places.length) this.say({ action: "subscribe", channels: Object.fromEntries(places), epoch });
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
    this.socket?.close();
  }
}
