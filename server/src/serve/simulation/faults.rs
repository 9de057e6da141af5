//! What people do, and what goes wrong, chosen by dice.

use super::rules;
use super::world::SimulatedWorld;

impl SimulatedWorld {
    /// One thing that happens.
    pub(super) fn act(&mut self) {
        let node = self.dice.below(self.nodes.len());
        match self.dice.below(100) {
            0..25 if self.nodes[node].is_alive => self.kill(node),
            25..37 if self.nodes[node].is_alive => self.restore(node),
            37..45 if self.nodes[node].is_alive => self.edit(node),
            45..100 => {
                self.faults += 1;
                self.go_wrong(node);
                rules::note_losses(self);
            }
            _ => {}
        }
    }

    fn go_wrong(&mut self, node: usize) {
        let name = self.nodes[node].name.clone();
        // Broken parts are usually repaired, so that most of the world works most of the time.
        let is_rare = self.dice.percent(50);
        match self.dice.below(100) {
            0..20 if is_rare || !self.redis_links[node] => {
                self.redis_links[node] = !self.redis_links[node];
                self.say(format!("{name} reaches Redis: {}", self.redis_links[node]));
            }
            20..40 => {
                let other = (node + 1 + self.dice.below(self.nodes.len() - 1)) % self.nodes.len();
                if self.links[node][other].is_none() || is_rare {
                    let link = self.links[node][other].is_none().then_some(self.now);
                    (self.links[node][other], self.links[other][node]) = (link, link);
                    let other = self.nodes[other].name.clone();
                    self.say(format!("{name} and {other} reach each other: {}", link.is_some()));
                }
            }
            40..60 if !self.nodes[node].is_alive => self.start(node),
            40..60 if is_rare => {
                self.say(format!("{name} is killed"));
                self.nodes[node].crash();
            }
            60..75 if is_rare || !self.redis.is_up => {
                self.redis.is_up = !self.redis.is_up;
                self.say(format!("Redis is up: {}", self.redis.is_up));
            }
            75..78 => {
                self.say("Redis is emptied".to_owned());
                self.has_lost_data = true;
                self.redis.become_other(Vec::new());
            }
            78..82 => {
                self.say("Redis is copied".to_owned());
                self.redis.copy = self.redis.entries.clone();
            }
            82..85 => {
                self.say("Redis goes back to its copy".to_owned());
                self.has_lost_data = true;
                let copy = self.redis.copy.clone();
                self.redis.become_other(copy);
            }
            85..100 if is_rare || self.nodes[node].is_disk_full => {
                let is_full = !self.nodes[node].is_disk_full;
                self.say(format!("the disk of {name} is full: {is_full}"));
                self.nodes[node].set_disk(is_full);
            }
            _ => {}
        }
    }

    /// A node starts: it meets its store, asks its peers, and only then serves.
    fn start(&mut self, node: usize) {
        let peers = self.peers_of(node);
        self.nodes[node].start(&peers);
        self.nodes[node].started = self.now;
        self.say(format!("{} starts", self.nodes[node].name));
        self.tick_store(node);
        self.ask_peers(node);
    }

    /// Everything works again.
    pub(super) fn heal_all(&mut self) {
        self.say("everything works again".to_owned());
        self.redis.is_up = true;
        self.redis_links.fill(true);
        let now = self.now;
        for link in self.links.iter_mut().flatten() {
            link.get_or_insert(now);
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].set_disk(false);
            if !self.nodes[node].is_alive {
                self.start(node);
            }
        }
    }
}
