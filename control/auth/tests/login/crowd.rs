//! Five thousand people log in at once: each gets what is theirs.

use std::collections::HashMap;
use std::net::SocketAddr;

use gate_auth::Now;
use gate_auth::login::table::{Conversations, Limits};
use gate_auth::login::{Answer, Ask, Conversation, Event, Question, Step};
use gate_auth::seal::SealKey;
use gate_auth::sessions::{Arrival, TOKEN_RANDOM_BYTES, Token};
use gate_config::model::VserverName;
use secrecy::ExposeSecret;

use super::kit::{GATEWAY, arrival, model, proven, request, setting, typed};

const USERS: usize = 5000;

/// A small generator, so that a seed replays.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}

enum Waits {
    Begin,
    Form,
    Scan,
    Answer(Question),
}

#[test]
fn five_thousand_interleaved_logins_each_get_their_own_name_and_groups() {
    let model = model(&format!(
        "{GATEWAY}add authentication epaAction e -csecexpr sys.client_expr(\"proc_0_a\") -defaultEPAGroup clean -quarantineGroup weak\n\
         add authentication Policy p_e -rule true -action e\n\
         add authentication policylabel scan -loginSchema LSCHEMA_INT\n\
         add authentication policylabel second -loginSchema single\n\
         bind authentication policylabel scan -policyName p_e -priority 10 -nextFactor second\n\
         bind authentication policylabel second -policyName p_dir2 -priority 10\n\
         bind authentication vserver av -policy p_dir -priority 10 -nextFactor scan\n"
    ));
    let gw = VserverName::parse("gw").unwrap();
    let mut table = Conversations::new(SealKey::new([9; 32]), Limits::default());
    let mut chance = Chance(0x5eed);
    let mut shown = 0_u64;
    let mut fresh = || {
        shown += 1;
        let mut random = [0; TOKEN_RANDOM_BYTES];
        random[..8].copy_from_slice(&shown.to_be_bytes());
        Token::new(random)
    };
    let mut tokens: HashMap<usize, Token> = HashMap::new();
    let mut waits: Vec<(usize, Waits)> = (0..USERS).map(|user| (user, Waits::Begin)).collect();
    let mut now = Now::from_secs(10);
    let mut granted = 0;
    while !waits.is_empty() {
        now += Now::from_millis(1);
        let (user, wait) = waits.swap_remove(chance.below(waits.len()));
        let (name, password) = (format!("user{user}"), format!("pw{user}"));
        let event = match wait {
            Waits::Begin => {
                let number = table.next_number();
                let token = fresh();
                // From offices of a hundred.
                let [.., high, low] = u32::try_from(user / 100).unwrap().to_be_bytes();
                let client = SocketAddr::from(([198, 18, high, low], 55_000));
                let conversation = Conversation::begin(setting(&model), Arrival { client, ..arrival() }, number, now);
                table.begin(&token, conversation, now).unwrap();
                tokens.insert(user, token);
                Event::Asked
            }
            Waits::Form => Event::Posted { step: None, typed: typed(&name, &password, "") },
            Waits::Scan => {
                let conversation = table.find(tokens[&user].expose(), &gw, now).unwrap();
                conversation.scan_question(now).unwrap();
                conversation.scan_answer(Some(if user % 3 == 0 { b"3" } else { b"0" }), false, now);
                Event::Scanned { step: None }
            }
            Waits::Answer(question) => {
                let Ask::Ldap { user: asked, password: Some(password) } = &question.ask else { panic!("{question:?}") };
                assert_eq!(password.expose_secret(), asked.replace("user", "pw"), "a password of somebody else");
                let answer: Answer = proven(asked, &[&format!("group-of-{asked}-{}", question.action)]);
                Event::Answered { question: question.number, answer }
            }
        };
        let conversation = table.find(tokens[&user].expose(), &gw, now).unwrap();
        let number = conversation.number();
        let before = conversation.factor().clone();
        match conversation.step(event, &request(), now) {
            Step::Show(_) => waits.push((user, Waits::Form)),
            Step::Scan(_) => waits.push((user, Waits::Scan)),
            Step::Ask(question) => waits.push((user, Waits::Answer(question))),
            Step::Granted(grant) => {
                assert_eq!(*grant.identity.unwrap().user, *name);
                let groups: Vec<&str> = grant.groups.iter().map(|group| group.name.as_str()).collect();
                let epa = if user % 3 == 0 { "weak" } else { "clean" };
                assert_eq!(groups, [&*format!("group-of-{name}-dir"), epa, &*format!("group-of-{name}-dir2")]);
                assert_eq!(grant.sso.unwrap().password.expose_secret(), password);
                table.end(number).unwrap();
                granted += 1;
                continue;
            }
            other @ (Step::Certificate(_) | Step::Over(_) | Step::Stale(_) | Step::Busy) => panic!("{other:?}"),
        }
        if table.by_number(number, now).unwrap().factor() != &before {
            let token = fresh();
            assert!(table.rotate(number, &token));
            tokens.insert(user, token);
        }
    }
    assert_eq!(granted, USERS);
    assert!(table.is_empty());
}
