//! Server-sent events, as far as the stream uses them: bytes in, the data of whole events out.

/// Received data that is not a complete event yet.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Option<String>,
}

impl Events {
    /// Takes what came; answers with the data of the events that it completes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim_end_matches('\r').to_owned();
            if line.is_empty() {
                whole.extend(self.data.take());
            } else if let Some(data) = line.strip_prefix("data:") {
                let data = data.strip_prefix(' ').unwrap_or(data);
                match &mut self.data {
                    Some(before) => {
                        before.push('\n');
                        before.push_str(data);
                    }
                    None => self.data = Some(data.to_owned()),
                }
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn an_event_is_whole_at_its_empty_line_however_it_was_cut() {
        let text = b": hello\nevent: delta\nid: 1:2\ndata: {\"a\":\ndata: 1}\r\n\r\nevent: heartbeat\ndata:{}\n\n";
        for cut in 0..text.len() {
            let mut events = Events::default();
            let (first, second) = text.split_at(cut);
            let mut data = events.push(first);
            data.extend(events.push(second));
            assert_eq!(data, ["{\"a\":\n1}", "{}"], "cut at {cut}");
        }
    }

    #[test]
    fn an_event_without_data_is_none() {
        assert!(Events::default().push(b"event: delta\n\n:\n\n").is_empty());
    }
}
