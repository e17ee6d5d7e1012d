package policy

import "github.com/gatehouse/gatehouse/internal/fault"

// NotificationPolicy says of what users are told.
type NotificationPolicy struct {
	PasswordChange bool `json:"passwordChange"`
}

// DefaultNotification is the notification policy of a new instance.
func DefaultNotification() NotificationPolicy { return NotificationPolicy{PasswordChange: true} }

// Notification is the notification policy.
var Notification = Declare[NotificationPolicy]("policy.notification", fault.Say("notification policy"), IDs{}, nil)
