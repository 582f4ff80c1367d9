//! What is made of lists, numbers, addresses and points in time.

use std::net::IpAddr;
use std::time::SystemTime;

use crate::text::time::Utc;

use super::super::members::{OfAddress, OfList, OfMoment, OfNumber};
use super::super::moment::{Moment, seconds};
use super::super::text;
use super::super::tree::{Argument, Call, Comparison};
use super::super::value::{List, Text, Value};
use super::{Found, Machine, Undefined, number};

impl<'f> Machine<'f> {
    pub(super) fn of_list(&mut self, mut list: List<'f>, op: OfList, call: &'f Call) -> Found<Value<'f>> {
        match op {
            OfList::Count => number(list.parts.len()).map(Value::Number),
            OfList::Item => {
                let index = self.index(call)?;
                if index >= list.parts.len() {
                    return Err(Undefined::Index);
                }
                let characters = list.parts.swap_remove(index);
                Ok(Value::Text(Text { characters, folded: list.folded, there: true }))
            }
            OfList::HasItem => {
                let other = self.text_argument(call, 0)?;
                let folded = list.folded || other.folded;
                for part in &list.parts {
                    self.spend(part.len())?;
                    if text::equal(part, &other.characters, folded) {
                        return Ok(Value::Truth(true));
                    }
                }
                Ok(Value::Truth(false))
            }
        }
    }

    pub(super) fn of_number(&mut self, number: i64, op: OfNumber, call: &'f Call) -> Found<Value<'f>> {
        match op {
            OfNumber::ToText => Ok(Value::Text(Text::own(number.to_string()))),
            OfNumber::Is(comparison) => Ok(Value::Truth(comparison.of(&number, &self.number_argument(call, 0)?))),
            OfNumber::Between => {
                let (least, most) = (self.number_argument(call, 0)?, self.number_argument(call, 1)?);
                Ok(Value::Truth((least..=most).contains(&number)))
            }
            OfNumber::Compute(operator) => {
                let other = self.number_argument(call, 0)?;
                self.compute(Value::Number(number), operator, Value::Number(other))
            }
        }
    }

    pub(super) fn of_address(&mut self, address: IpAddr, op: OfAddress, call: &'f Call) -> Found<Value<'f>> {
        Ok(match op {
            OfAddress::Is => Value::Truth(self.address_argument(call)? == address),
            OfAddress::IsNot => Value::Truth(self.address_argument(call)? != address),
            OfAddress::InNetwork => {
                let Some(Argument::Network(network)) = call.arguments.first() else { return Err(Undefined::Kind) };
                Value::Truth(network.contains(address))
            }
            OfAddress::IsV6 => Value::Truth(address.is_ipv6()),
            OfAddress::ToText => Value::Text(Text::own(address.to_string())),
        })
    }
}

pub(super) fn of_moment<'f>(time: SystemTime, op: OfMoment, call: &Call) -> Found<Value<'f>> {
    let utc = Utc::from(time);
    let ((year, month, day), (hours, minutes, rest)) = (utc.date(), utc.time());
    let field = |field: u64| i64::try_from(field).map(Value::Number).map_err(|_| Undefined::Number);
    let moment = |number: usize| match call.arguments.get(number) {
        Some(Argument::Moment(moment)) => Ok(*moment),
        _ => Err(Undefined::Kind),
    };
    let now = seconds(time);
    match op {
        OfMoment::Year => field(year),
        OfMoment::Month => field(month),
        OfMoment::Day => field(day),
        OfMoment::Hours => field(hours),
        OfMoment::Minutes => field(minutes),
        OfMoment::Seconds => field(rest),
        OfMoment::Weekday => field(utc.weekday()),
        OfMoment::Between => Ok(Value::Truth((moment(0)?.first..=moment(1)?.last).contains(&now))),
        OfMoment::Is(comparison) => {
            let Moment { first, last } = moment(0)?;
            Ok(Value::Truth(match comparison {
                Comparison::Equal => (first..=last).contains(&now),
                Comparison::Unequal => !(first..=last).contains(&now),
                Comparison::Less => now < first,
                Comparison::LessOrEqual => now <= last,
                Comparison::Greater => now > last,
                Comparison::GreaterOrEqual => now >= first,
            }))
        }
    }
}
