//! The stories, one file for each of what a user does.

use futures::future::BoxFuture;

use crate::world::World;

/// A story: a sentence, and how it is played.
pub struct Story {
    /// The sentence.
    pub name: &'static str,
    /// How it is played.
    pub play: fn(World) -> BoxFuture<'static, anyhow::Result<()>>,
}

macro_rules! stories {
    ($(#[$doc:meta])* $all:ident; $($file:ident: $($name:ident),* $(,)?;)*) => {
        $(#[$doc])*
        pub static $all: &[Story] = &[$($(Story {
            name: concat!(stringify!($file), "::", stringify!($name)),
            play: |world| Box::pin(crate::$file::$name(world)),
        },)*)*];
    };
}

stories! {
    /// Stories that play side by side.
    TOGETHER;
    path: an_environment_goes_from_manifest_to_pods;
    gitops: git_says_it_in_any_order_and_once_is_enough;
    tour: every_block_of_the_readme_works;
    witness: a_secret_told_and_a_field_taken_are_seen;
    races: ready_is_never_said_early_of_what_was_edited;
    instance:
        instances_are_listed_by_what_they_are_called,
        a_name_and_a_description_change_alone_and_together,
        a_rename_moves_nothing,
        a_name_belongs_to_one_instance,
        of_many_that_ask_at_once_one_gets_the_name,
        fifty_instances_are_ready_side_by_side,
        the_same_names_live_apart_in_two_instances,
        packets_stay_within_an_instance,
        references_do_not_cross_instances_and_nothing_lives_outside,
        access_to_one_instance_is_none_to_another,
        a_quota_holds_in_its_own_instance,
        a_frozen_instance_takes_no_changes_and_runs_on,
        what_is_not_ours_is_never_taken_over,
        a_full_instance_asks_for_its_data_and_then_goes_whole,
        an_instance_without_data_goes_at_once,
        a_held_service_lets_go_in_a_namespace_that_ends,
        the_first_instance_is_there_once,
        a_lost_namespace_is_reported_and_made_again,
        neither_a_second_apply_nor_a_restart_changes_anything;
    application:
        the_platform_team_suspends_an_application_and_lifts_it,
        a_locked_application_takes_no_change_until_it_is_unlocked,
        the_storage_of_an_instance_is_limited_by_its_quota,
        an_application_has_room_for_as_many_environments_as_its_plan_allows,
        applications_are_found_by_tag_and_by_a_part_of_their_name,
        a_name_is_taken_once_in_an_instance_and_rights_can_be_asked_for,
        each_change_is_told_with_who_made_it,
        who_made_a_change_cannot_be_forged,
        a_template_gives_what_an_application_leaves_out,
        what_a_template_gave_is_the_teams,
        templates_are_read_by_all_and_changed_by_the_platform_team,
        the_default_template_counts_for_new_applications,
        a_fork_goes_its_own_way_and_a_mirror_follows_its_source,
        mirrors_are_counted_and_copies_can_be_listed,
        an_archived_application_comes_back_or_goes_when_its_time_is_over,
        an_application_can_be_retired_at_once_and_holds_nothing_up;
    service:
        a_database_comes_up_by_itself,
        a_stopped_database_keeps_its_data_and_its_address,
        a_class_that_comes_later_ends_the_wait,
        a_password_changes_without_a_restart,
        a_service_goes_only_when_it_is_stopped_and_unused,
        what_may_go_stops_and_goes_whole,
        a_new_service_meets_old_data_only_when_it_asks;
    environment:
        ready_after_an_edit_means_that_edit,
        an_edit_of_the_application_shows_at_once,
        a_hundred_edits_end_in_the_last,
        variables_reach_the_pod_as_they_are_said,
        a_sensitive_value_is_for_those_who_may_read_secrets,
        replicas_go_to_an_autoscaler_and_back_without_a_dip,
        what_is_changed_by_hand_is_put_right_with_one_write,
        what_is_put_in_the_place_of_ours_is_put_right,
        what_is_no_longer_declared_goes,
        an_attachment_begins_and_ends_with_a_release,
        one_prefix_is_for_one_service_of_a_type,
        a_copy_stands_by_itself,
        edits_wait_for_a_release_and_can_be_taken_back,
        what_is_left_out_and_what_is_overridden,
        a_stopped_environment_keeps_all_but_its_pods,
        they_are_listed_by_what_they_are_of;
    release:
        no_request_is_lost_while_pods_are_replaced,
        a_probe_that_fails_ends_the_rollout_in_its_time,
        a_rollback_holds_and_has_the_password_of_today,
        a_release_that_is_made_again_does_not_run_again,
        of_those_that_wait_the_newest_runs,
        commands_run_in_order_before_traffic_moves,
        a_command_that_cannot_run_leaves_nothing_behind,
        a_command_that_connects_at_once_finds_its_service,
        a_promotion_takes_the_image_of_another,
        adopt_takes_the_image_that_serves,
        a_pipeline_marks_a_release_and_writes_no_result;
    cronjob:
        a_run_has_what_its_release_has_and_reaches_its_services,
        a_schedule_follows_what_is_declared_and_rests_with_its_environment,
        a_due_run_starts_by_itself_and_ends_in_time;
    backup:
        a_lost_database_comes_back_as_it_was,
        a_database_is_put_back_in_place_and_that_is_undone,
        data_is_held_still_while_its_snapshot_is_taken,
        data_moves_to_another_service_though_a_part_has_failed,
        a_backup_stays_while_it_is_held_and_goes_at_its_time,
        a_whole_environment_is_put_back_with_all_its_services,
        an_engine_that_no_code_knows_comes_back_as_it_was,
        a_deleted_service_leaves_a_last_backup,
        scheduled_backups_are_proven_and_a_damaged_one_is_told;
    hostile:
        roles_of_one_instance_end_there,
        no_reference_finds_what_another_instance_has,
        marks_that_are_forged_reach_nobody,
        what_has_the_name_of_a_child_is_left_alone;
    plugin:
        status_and_why_tell_what_is_waited_for,
        release_and_rollback_wait_until_it_serves,
        stop_and_start_wait_until_it_is_so,
        run_tells_the_exit_code_and_logs_the_lines,
        one_command_runs_beside_the_replicas,
        variables_differences_and_promotion,
        copies_are_made_in_one_line,
        an_application_is_retired_by_its_name_and_brought_back,
        many_are_released_and_one_that_cannot_be_stops_nobody,
        uninstall_is_refused_while_an_operator_is_there,
        data_is_backed_up_put_back_and_that_undone;
}

stories! {
    /// Stories with Flux, apart from the others: its programs are built when the first of them begins.
    FLUX;
    flux:
        flux_is_ready_when_the_shop_is,
        flux_takes_over_what_helm_installed_and_gives_it_back;
}

stories! {
    /// Stories that are played in this order after the others: they look at the whole cluster, or change it.
    ALONE;
    quiet: where_nothing_changes_nothing_is_written;
    gitops: our_words_stay_ours_beside_argo_cd_and_kubevela;
    backup:
        no_crash_loses_data_or_leaves_anything_behind,
        a_group_that_cannot_be_taken_is_taken_one_by_one,
        no_crash_breaks_a_group_of_snapshots,
        no_crash_loses_the_last_backup_of_a_service;
    leaving: the_product_goes_comes_back_and_lets_go;
}
