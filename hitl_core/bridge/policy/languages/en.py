"""English: what is said in every language that has no texts of its own."""

TEXTS = {
    "on_handoff_message": ("I have passed your conversation on to our team. A human will be with you shortly."),
    "on_human_agent_assigned_message": "{agent_name} has joined the conversation.",
    "on_hitl_stopped_message": ("The agent has closed the conversation. I am the bot, and I am here again for you."),
    "on_user_hitl_cancelled_message": "(The customer has ended the session.)",
    "on_incompatible_msg_type_message": ("The customer cannot receive this kind of message. Please send it as text."),
    "on_user_hitl_close_message": (
        "You have ended the conversation with our team. I am the bot, and I am here again for you."
    ),
    "on_agent_assigned_timeout_message": (
        "Nobody from our team is available right now; please try again later. Until then I will help as well as I can."
    ),
    "on_start_failed_message": (
        "I could not reach our team, so nobody has been told yet. Please try again in a little while."
    ),
    "on_session_reopened_message": "Our team has opened the conversation again.",
    "on_unsupported_user_message": (
        "I cannot pass this kind of message on. Text, pictures, sound, videos and files work."
    ),
    "on_message_failed_message": (
        "Your last message may not have reached our team. Please send it again, as shorter text if possible."
    ),
    "on_first_answer_timeout_message": (
        "Our team could not answer in time; please try again later. Until then I will help as well as I can."
    ),
    "on_first_answer_timeout_message/tell": (
        "It is taking our team longer than usual to answer. Thank you for your patience."
    ),
    "on_agent_silence_message": "It is taking our team longer than usual to answer. Thank you for your patience.",
    "on_agent_silence_message/end": (
        "Our team could not answer in time; please try again later. Until then I will help as well as I can."
    ),
    "on_customer_silence_warning_message": "Are you still there? Our team is waiting for your answer.",
    "on_customer_silence_message": (
        "We have not heard from you for a while, so the conversation with our team has ended. "
        "I am the bot, and I am here again for you."
    ),
    "on_maximum_duration_message": (
        "The conversation with our team has reached its time limit and has ended. "
        "I am the bot, and I am here again for you."
    ),
    "on_off_hours_message": (
        "Our team is not there at the moment. I have passed your message on, and somebody will answer you later."
    ),
    "on_off_hours_refused_message": (
        "Our team is not there at the moment. Please try again later. Until then I will help as well as I can."
    ),
    "on_internal_error_message": (
        "Something went wrong, and you are no longer connected to our team. I am the bot, and I am here again for you."
    ),
    "on_late_message_answer": "(The conversation had ended before this message, so the customer did not get it.)",
    "on_stopped_by_operator_message": (
        "The conversation with our team has been ended. I am the bot, and I am here again for you."
    ),
    "on_customer_left_note": "(The customer has not answered for a while, so the session has ended.)",
    "agent_fallback_name": "An agent",
    "hand_back_marker": ("[The conversation with the human agent is over. You are answering the customer again.]"),
}
