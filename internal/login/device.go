package login

import (
	"net/http"
	"strings"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

const (
	// fieldDevice names the device that a login is for: its id, a dot and its code, which
	// is to be seen again where the user decides.
	fieldDevice = "device"
	// atConfirm is the page on which a user decides about a device.
	atConfirm = "device/confirm"
)

// device is the device that a login is for, with the code that its user typed.
type device struct {
	flow.DeviceRequest
	Code string
}

// devicePage is what a user is shown before they decide (RFC 8628, section 5.4): for
// which application, with which code, and what it would get.
type devicePage struct {
	Asks, Code string
	Scopes     []string
}

var errDeviceCode = fault.NotFound("LOGIN-device", "This login at a device is over. Look at the code once more.")

// openDevice finds the device that the login is for.
func (v *visit) openDevice() error {
	named := v.R.Form.Get(fieldDevice)
	if named == "" {
		return nil
	}
	id, code, _ := strings.Cut(named, ".")
	d, err := flow.DeviceByID(v.AsNobody(), v.Store, id)
	if err == nil && !d.HasCode(code) {
		err = errDeviceCode
	}
	if err != nil {
		v.R.Form.Del(fieldDevice) // Nothing leads back to it.
		return err
	}
	v.device = &device{d, code}
	return nil
}

// showDevice asks for the code that a device shows. A link can bring the code along, but
// it does nothing until its user has said that it is the one.
func showDevice(v *visit) error {
	v.current = nil
	v.show(http.StatusOK, fieldDevice, data{More: v.R.Form.Get("user_code")})
	return nil
}

// takeDevice goes on to the login for a device.
func takeDevice(v *visit) error {
	code := oauth.UserCode(v.R.PostForm.Get("user_code"))
	v.current = nil
	d, err := flow.DeviceByUserCode(v.AsNobody(), v.Store, flow.GuesserAt(v.Call.RemoteIP), code)
	if err != nil {
		return v.again(err, fieldDevice, data{More: code})
	}
	v.R.Form.Set(fieldDevice, d.ID+"."+code)
	return v.goTo("login")
}

// decideDevice asks somebody who has logged in whether the device may have it, and does
// what they say. Nothing is decided without a click, whatever was allowed before.
func (v *visit) decideDevice(p *progress) (err error) {
	if v.Path() != atConfirm {
		return v.goTo(atConfirm)
	}
	note := "device-allowed"
	switch v.R.PostForm.Get(fieldDecision) {
	case decisionAllow:
		err = flow.AllowDevice(v.asUser(p), v.Store, v.device.ID, p.Session.ID, p.token)
	case decisionDeny:
		note, err = "device-denied", flow.DenyDevice(v.asUser(p), v.Store, v.device.ID)
	default:
		v.show(http.StatusOK, "deviceconfirm", data{LoginName: p.name, More: v.devicePage()})
		return nil
	}
	if err != nil {
		return v.again(err, "deviceconfirm", data{LoginName: p.name, More: v.devicePage()})
	}
	v.R.Form.Del(fieldDevice)
	v.show(http.StatusOK, "devicedone", data{Note: v.T(note)})
	return nil
}

func (v *visit) devicePage() devicePage {
	return devicePage{
		Asks: v.T("device-asks", v.device.AppName, v.device.ProjectName), Code: v.device.Code, Scopes: v.inWords(v.device.Scopes),
	}
}
