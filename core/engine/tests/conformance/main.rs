//! One suite for every engine: the contract of `sluice_flow::port`, on real sockets.
//!
//! Each script is a function of the engine's choice and runs once for each. Where io_uring is denied, its half fails loudly:
//! a machine that cannot test it must say so with `SLUICE_NO_URING=1`.
#![expect(clippy::unwrap_used, reason = "a script that cannot go on has failed, and the line says where")]
#![expect(clippy::wildcard_enum_match_arm, reason = "what a script does not expect is a failure, whatever it is")]

mod accepting;
mod chaos;
mod closing;
mod connecting;
mod kernel;
mod kit;
mod releasing;
mod starving;
mod streaming;
mod turning;

/// Makes a test of each script for each engine.
macro_rules! both {
    ($($module:ident: $($script:ident)+;)+) => {
        mod mio {
            $($(
                #[test]
                fn $script() {
                    crate::$module::$script(sluice_engine::Choice::Mio);
                }
            )+)+
        }

        mod uring {
            $($(
                #[test]
                fn $script() {
                    if crate::kit::uring_is_wanted() {
                        crate::$module::$script(sluice_engine::Choice::Uring);
                    }
                }
            )+)+
        }
    };
}

both! {
    accepting:
        a_client_is_adopted_and_its_addresses_are_known
        a_refused_client_sees_a_reset
        an_unanswered_door_is_refused
        a_connection_goes_from_one_engine_to_another
        clients_wait_in_the_backlog_while_accepting_is_off
        listeners_come_and_go
        a_hundred_clients_at_once
        a_storm_of_clients_is_served_to_the_last
        who_has_left_is_passed_over
        without_descriptors_accepting_pauses_and_recovers;
    streaming:
        single_bytes_arrive_in_order
        bytes_go_behind_those_that_are_there
        what_is_said_goes_out_before_long_work
        a_chain_is_sent_without_what_lies_between
        large_transfers_both_ways_at_once
        a_slow_reader_holds_the_sender_back
        many_sessions_keep_their_bytes_apart
        a_full_buffer_says_that_there_is_more
        an_empty_chain_is_sent_at_once
        a_second_receive_is_refused_and_the_first_goes_on;
    chaos:
        whatever_happens_bytes_stay_where_they_belong;
    closing:
        the_client_finishes_first
        the_host_finishes_first
        after_the_end_every_receive_ends
        a_lent_buffer_comes_back_at_the_end
        a_reset_fails_the_receive
        finishing_waits_for_the_send
        the_last_bytes_take_fin_along
        what_may_wait_comes_all_the_same
        an_aborted_leg_is_reset
        sending_to_nobody_fails;
    connecting:
        a_host_is_connected
        the_portal_is_connected
        a_refused_connect_says_so
        an_unreachable_network_says_so
        no_portal_means_refused
        an_impossible_path_fails
        a_leg_that_is_not_there_fails;
    kernel:
        a_key_that_the_kernel_does_not_take_changes_nothing
        the_kernel_seals_what_is_sent
        the_kernel_opens_what_is_received
        no_end_overtakes_what_the_kernel_has_sealed
        what_the_kernel_cannot_open_is_told
        the_kernel_hands_up_a_change_of_keys
        both_directions_are_the_kernels;
    releasing:
        an_idle_session_is_released
        armed_operations_end_with_the_session
        a_connect_under_way_ends_with_the_session
        a_send_under_way_ends_with_the_session
        nothing_is_told_after_release
        a_late_intent_gives_its_buffers_back
        a_slot_serves_many_tenants
        a_thousand_connections_leave_nothing_behind
        an_engine_dropped_in_the_middle_closes_everything;
    starving:
        a_smaller_buffer_serves
        who_starves_is_fed_in_order
        an_idle_session_holds_no_buffer
        long_reads_take_turns;
    turning:
        a_turn_returns_when_its_time_has_come
        a_turn_without_waiting_returns
        no_wake_up_is_lost
        a_turn_reports_no_more_than_it_may
        spinning_finds_what_comes
        completions_are_counted;
}
